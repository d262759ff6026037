import { AsyncResource } from 'node:async_hooks'
import type { Clock } from '../kernel/clock.js'
import type { ConcurrencyLimit } from '../kernel/concurrency.js'
import { defineEvent } from '../kernel/events.js'
import type { RandomSource } from '../kernel/random.js'
import type { CacheStore, HeldLease, StoredEntry } from './cache-store.js'
import { Caller, LEFT } from './caller.js'
import type { OnHolds } from './entry-reader.js'
import { CacheClosedError, LoadTimeoutError } from './errors.js'
import { type Claim, type Grant, LeaseBatches } from './lease-batches.js'
import { LEASE_MS, LeaseUpkeep } from './lease-upkeep.js'
import { type Joined, Load, type Outcome } from './load.js'
import type { LoadPlan } from './load-plan.js'
import type { LoadScope } from './load-scope.js'
import { type Loaded, LoaderCalls } from './loader-calls.js'
import { RefreshPauses } from './refresh-pauses.js'
import type { Statistics } from './statistics.js'
import type { TagClock } from './tag-clock.js'
import { UNREADABLE, type Values } from './values.js'
import { Waiters } from './waiters.js'

/**
 * Loads: at most one running a key and process, and one in the whole fleet while its lease lives (P3).
 *
 * A load asks for the key's lease (R7), calls the loader, and stores the value under the lease (R8); an invalidation drops the lease, so a
 * value whose load it overtook is refused. Which callers may take the value of a load (R9) follows from order alone: every read and every
 * call of a loader draws a number from one counter. A caller whose read began before the loader was called may take the value in any case:
 * no invalidation that was acknowledged before that read can have been missed. Who came later may take it only if the store accepted it and
 * the clock read with the fill shows that nothing of it has been invalidated. The rest start the next load, together.
 *
 * A load whose caller saw somebody's work on the key under way (R13), or no store at all, asks for no lease and stores nothing. A refresh
 * (R15) is a load that nobody waits for, of a key whose entry is still served.
 *
 * A load has the time of its leader, the caller that started it; each caller waits for as long as its own plan says (`caller.ts`). When the
 * leader's time is over the load ends for all, as if its loader had failed; callers with more patience start the next one. What a load that
 * was ended still does in the store is to give back its lease.
 */

/** How long loads may go on when the cache closes. */
const LAST_LOADS_MS = 1_000
/** How many different processes a caller waits for before it loads for itself, without storing (R10). */
const MOST_HOLDERS = 2

/**
 * A load that was to replace an entry failed, or took too long; the entry is served until its grace is over. Channel
 * `vextrus:cache.refresh-failed`.
 */
export const cacheRefreshFailed = defineEvent<{ readonly key: string; readonly cause: unknown }>('cache.refresh-failed')

/** What the loads stand on. */
export interface LoadSurroundings {
  readonly store: CacheStore
  readonly tagClock: TagClock
  readonly clock: Clock
  readonly random: RandomSource
  readonly statistics: Statistics
  readonly values: Values
  /** How many loads run at once while the store is away. */
  readonly origin: ConcurrencyLimit
  readonly onHolds: OnHolds
}

export class Loads {
  private sequence = 0
  private readonly running = new Map<string, Load>()
  private readonly waiters: Waiters
  private readonly leases: LeaseBatches
  private readonly calls: LoaderCalls
  private readonly scope: LoadScope
  private readonly upkeep: LeaseUpkeep
  private readonly pauses: RefreshPauses
  private readonly clock: Clock
  private readonly values: Values
  private closing = false
  private closed = false

  constructor({ store, tagClock, clock, random, statistics, values, origin, onHolds }: LoadSurroundings) {
    this.clock = clock
    this.values = values
    this.calls = new LoaderCalls({ clock, statistics, values, origin, draw: () => ++this.sequence })
    this.scope = this.calls.scope
    this.waiters = new Waiters(store.pushes, clock)
    this.leases = new LeaseBatches(store, tagClock, random, (error) => statistics.failed(error), onHolds)
    this.upkeep = new LeaseUpkeep(store, this.leases, clock, statistics)
    this.pauses = new RefreshPauses(clock, random)
  }

  /** A caller whose read begins now. */
  newCaller(plan: LoadPlan): Caller {
    return new Caller(++this.sequence, plan, this.clock)
  }

  /** Whether a load of this very entry has failed a short while ago, so that it is served and not loaded anew. */
  isPaused(key: string, entry: StoredEntry): boolean {
    return this.pauses.has(key, entry)
  }

  /** Loads the key behind its callers' backs, once a process and under the lease (R15), unless it is being loaded already, or paused. */
  refresh(key: string, caller: Caller): void {
    if (this.running.has(key) || this.scope.has(key)) return
    if (this.closing || (caller.stale !== null && this.isPaused(key, caller.stale))) return
    const load = new Load(key)
    load.kept = true
    this.start(load, caller, caller.plan.timeouts.hardMs)
  }

  /** Joins the running load of the key, or starts one. @throws what the loader throws, LoadTimeoutError, the reason of the caller's signal */
  async join(key: string, caller: Caller): Promise<Outcome> {
    if (this.closed && caller.isWaiting) return this.outOf(caller, new CacheClosedError(caller.plan.ownKey()))
    caller.needsLoad()
    if (caller.hasLeft) return { value: caller.parting() }
    if (caller.stale === null && !caller.away) this.pauses.forget(key)
    if (this.scope.has(key)) return { value: await this.calls.loadAlone(key, caller) }
    const running = this.running.get(key)
    if (running !== undefined && !running.joinable) {
      // A read sent before the fill was answered could find no more than this one did.
      if ((await caller.within(running.settled)) === LEFT) return { value: caller.parting() }
      return caller.away ? this.join(key, caller) : null
    }
    const around = this.scope.keys()
    // It waits, maybe through others, for a load that this caller is a part of: neither would ever end.
    if (running !== undefined && around.length > 0 && running.reaches(new Set(around))) {
      return { value: await this.calls.loadAlone(key, caller) }
    }
    const load = running ?? new Load(key)
    if (around.length > 0) {
      load.urgent = true
      load.goPast()
    }
    const scope = new AsyncResource('VextrusLoad')
    let joined!: Joined
    const told = new Promise<Outcome>((resolve, reject) => (joined = { caller, scope, resolve, reject }))
    load.joined.add(joined)
    if (running === undefined) this.start(load, caller, caller.remainingMs)
    const outcome = await caller.within(
      around.length === 0 ? told : this.waiting(around, load, told),
      running === undefined,
      () => this.leave(load, joined),
    )
    return outcome === LEFT ? { value: caller.parting() } : outcome
  }

  /** Runs `work` such that reads of these keys in it load directly: they are being loaded by it. */
  runInside<T>(keys: readonly string[], work: () => T | PromiseLike<T>): Promise<T> {
    return this.scope.run(keys, work)
  }

  /**
   * Begins no refresh any more, and gives what is running a second to finish, its fill included. Then the loaders' signals are aborted, and who
   * still waits is answered the stale value that it has, or CacheClosedError. Resolves when nothing is under way in the store.
   */
  async close(): Promise<void> {
    this.closing = true
    await new Promise<void>((resolve) => {
      const timer = this.clock.timer(LAST_LOADS_MS, resolve)
      void this.atRest().then(() => {
        timer.cancel()
        resolve()
      })
    })
    this.closed = true
    for (const load of this.running.values()) {
      this.end(load, ({ caller, resolve, reject }) => {
        if (caller.fallback !== null) resolve(caller.fallback)
        else reject(new CacheClosedError(caller.plan.ownKey()))
      })
      load.stop.stop(new CacheClosedError())
    }
    this.calls.stopAlone(new CacheClosedError())
    this.waiters.close()
    await this.upkeep.settled()
  }

  private async atRest(): Promise<void> {
    while (!this.closed && this.running.size + this.upkeep.size > 0) {
      await Promise.all([...this.running.values()].map(({ settled }) => settled))
      await this.upkeep.settled()
    }
  }

  private outOf({ fallback }: Caller, error: unknown): Outcome {
    if (fallback === null) throw error
    return fallback
  }

  /** Writes down, while it lasts, that the loads of these keys wait for another. */
  private async waiting(keys: readonly string[], load: Load, outcome: Promise<Outcome>): Promise<Outcome> {
    const waiting = keys.flatMap((key) => this.running.get(key) ?? [])
    for (const outer of waiting) outer.waitsFor.push(load)
    try {
      return await outcome
    } finally {
      for (const { waitsFor } of waiting) waitsFor.splice(waitsFor.indexOf(load), 1)
    }
  }

  /** A caller waits for the load no more. That ends it when all who waited have aborted: else somebody will be glad of what is stored. */
  private leave(load: Load, joined: Joined): void {
    load.joined.delete(joined)
    joined.resolve(null)
    if (!joined.caller.hasAborted) load.kept = true
    if (load.kept || load.joined.size > 0 || !load.joinable) return
    this.end(load, () => undefined)
    load.stop.stop(joined.caller.plan.signal!.reason)
  }

  private start(load: Load, leader: Caller, ms: number): void {
    this.running.set(load.key, load)
    load.timer = this.clock.timer(ms, () => load.stop.stop(leader.timedOut()))
    void this.run(load, leader)
  }

  private async run(load: Load, leader: Caller): Promise<void> {
    try {
      const grant = await this.claim(load, leader)
      if (grant !== 'over') await this.perform(load, leader, grant)
    } catch (error) {
      // Whoever ended it has told its callers.
      if (!load.ended) this.fail(load, leader, error)
    }
  }

  /** The loader's error, or the end of its time, to all who have no stale value to go with; who has more time tries again. */
  private fail(load: Load, leader: Caller, error: unknown): void {
    const { key, joined } = load
    if (leader.stale !== null) this.pauses.failed(key, leader.stale)
    const isServed = joined.size === 0 ? leader.stale !== null : [...joined].some(({ caller }) => caller.fallback)
    if (isServed) cacheRefreshFailed.publish(() => ({ key, cause: error }))
    const isTimeout = error instanceof LoadTimeoutError && load.stop.isStopped
    this.end(load, ({ caller, resolve, reject }) => {
      if (caller.fallback !== null) resolve(caller.fallback)
      else if (isTimeout && caller.plan.timeouts.hardMs > leader.plan.timeouts.hardMs) resolve(null)
      else reject(error)
    })
  }

  /** R7 and R10: the grant; null to load without storing; 'over' when the callers have their answer already. */
  private async claim(load: Load, leader: Caller): Promise<Grant | null | 'over'> {
    if (leader.away || leader.held || this.closed) return null
    const wait = this.waiters.open(load.key)
    try {
      const asked = ++this.sequence
      const claim = await this.answered(load, this.leases.claim(load.key, LEASE_MS, leader.replaces))
      if (claim.kind === 'granted') return claim.grant
      if (claim.kind !== 'busy' && claim.lease !== null) this.upkeep.release(claim.lease)
      if (claim.kind === 'found') {
        // Only who was reading before the question was sent may share its answer.
        this.end(load, (joined) => {
          if (joined.caller.began > asked) joined.resolve(null)
          else this.found(joined, load.key, claim.entry)
        })
        return 'over'
      }
      // The entry is still served: what can't be stored, or another process is loading, is not loaded for it.
      if (load.joined.size === 0) {
        this.end(load, () => undefined)
        return 'over'
      }
      if (claim.kind === 'away') leader.away = true
      if (claim.kind !== 'busy' || (!leader.holders.has(claim.holder) && leader.holders.size >= MOST_HOLDERS)) {
        return null
      }
      await load.stop.race(wait.atMost(claim.remainingMs))
      this.end(load, (joined) => {
        joined.caller.holders.add(claim.holder)
        joined.resolve(null)
      })
      return 'over'
    } finally {
      // Its timer ends with it.
      wait.wake()
      wait.close()
    }
  }

  /** The answer to a claim. What is granted to a load that was ended meanwhile is given back. */
  private async answered(load: Load, claiming: Promise<Claim>): Promise<Claim> {
    try {
      return await load.stop.race(claiming)
    } catch (error) {
      const giveBack = claiming.then((claim) => {
        const lease = leaseOf(claim)
        if (lease !== null) this.upkeep.release(lease)
      })
      this.upkeep.inBackground(giveBack)
      throw error
    }
  }

  /** A value of its own for each; who can't read it looks for another one. */
  private found({ caller, resolve, reject }: Joined, key: string, entry: StoredEntry): void {
    const outcome = async (): Promise<Outcome> => {
      const value = await this.values.read(key, entry)
      if (value !== UNREADABLE) return { value }
      caller.replaces = entry
      return null
    }
    outcome().then(resolve, reject)
  }

  private async perform(load: Load, leader: Caller, grant: Grant | null): Promise<void> {
    const renewal = grant === null ? null : this.upkeep.keepAlive(grant.lease)
    let loaded: Loaded
    try {
      loaded = await load.stop.race(this.calls.load(load, leader))
      load.stop.throwIfStopped()
    } catch (error) {
      if (grant !== null) this.upkeep.release(grant.lease)
      throw error
    } finally {
      renewal?.cancel()
      load.timer?.cancel()
    }
    this.pauses.forget(load.key)
    load.joinable = false
    const { value, stored, loadMs, skipped } = loaded
    const answer = ({ caller, resolve, reject }: Joined): void => {
      if (caller === leader || stored === null) return resolve({ value })
      const copy = this.values.copy(load.key, stored)
      if (copy instanceof Promise) copy.then((own: unknown) => resolve({ value: own }), reject)
      else resolve({ value: copy })
    }
    const filled = grant !== null && stored !== null ? this.upkeep.fill(grant, stored, loadMs) : null
    if (grant !== null && stored === null) {
      // What it should have replaced would be served on, and loaded for again at every read, until its grace is over.
      if (leader.replaces !== null && !skipped) this.upkeep.delete(load.key)
      else this.upkeep.release(grant.lease)
    }
    for (const joined of load.joined) {
      if (joined.caller.began > load.began) continue
      load.joined.delete(joined)
      answer(joined)
    }
    const accepted = filled !== null && (await filled)
    this.end(load, (joined) => {
      if (accepted) answer(joined)
      else joined.scope.runInAsyncScope(() => this.join(load.key, joined.caller)).then(joined.resolve, joined.reject)
    })
  }

  private end(load: Load, tell: (joined: Joined) => void): void {
    if (load.ended) return
    load.ended = true
    load.joinable = false
    load.timer?.cancel()
    this.running.delete(load.key)
    load.settle()
    const joined = [...load.joined]
    load.joined.clear()
    joined.forEach(tell)
  }
}

function leaseOf(claim: Claim): HeldLease | null {
  if (claim.kind === 'granted') return claim.grant.lease
  return claim.kind === 'busy' ? null : claim.lease
}
