import { AsyncResource } from 'node:async_hooks'
import type { Clock, Timer } from '../kernel/clock.js'
import type { ConcurrencyLimit } from '../kernel/concurrency.js'
import type { Encoded } from '../kernel/codec/value-codec.js'
import { defineEvent } from '../kernel/events.js'
import type { RandomSource } from '../kernel/random.js'
import type { CacheStore, HeldLease, NewEntry, StoredEntry } from './cache-store.js'
import type { OnHolds } from './entry-reader.js'
import { CacheUnavailableError } from './errors.js'
import { type Grant, LeaseBatches } from './lease-batches.js'
import type { LoadContext, LoadPlan } from './load-plan.js'
import { LoadScope } from './load-scope.js'
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
 */

/** Life of a lease. A process that dies while loading delays the others by this at most. */
export const LEASE_MS = 3_000
/** For how long a lease is renewed: a loader that takes longer loses its claim to be the only one. */
const LONGEST_LOAD_MS = 30_000
/** How many different processes a caller waits for before it loads for itself, without storing (R10). */
const MOST_HOLDERS = 2

/** A call of `getOrSet` on its way. */
export interface Caller {
  /** Number drawn when its read began. */
  readonly began: number
  readonly plan: LoadPlan
  /** Its last read got no answer: it asks for no lease. */
  away: boolean
  /** Its last read saw that somebody's work on the key is under way: it asks for no lease. */
  held: boolean
  /** The entry that its last read found wanting: stale, or unreadable. */
  replaces: StoredEntry | null
  /** Leases of other processes that it has waited for. */
  readonly holders: Set<string>
}

/** What came of joining: a value, or the advice to read again. */
export type Outcome = { readonly value: unknown } | null

interface Joined extends Caller {
  readonly caller: Caller
  /** Its async context: a loader of its own, called later, sees the request that it belongs to. */
  readonly scope: AsyncResource
  resolve(outcome: Outcome): void
  reject(error: unknown): void
}

/** A load that was to refresh an entry failed; the entry is served until it expires. Channel `vextrus:cache.refresh-failed`. */
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

class Load {
  /** Number drawn when the loader was called. */
  began = Number.POSITIVE_INFINITY
  /** False once the fill was sent: from then on nobody joins, they read. */
  joinable = true
  readonly joined: Joined[] = []
  /** Loads that its loader waits for now, each as often as it is waited for. */
  readonly waitsFor: Load[] = []
  /** A load waits for it, which may keep the place that it would queue for. */
  urgent = false
  /** Starts it while it queues. */
  goPast: () => void = () => undefined
  readonly settled: Promise<void>
  settle!: () => void

  constructor(readonly key: string) {
    this.settled = new Promise((resolve) => (this.settle = resolve))
  }
}

export class Loads {
  private sequence = 0
  private readonly running = new Map<string, Load>()
  private readonly scope = new LoadScope()
  private readonly waiters: Waiters
  private readonly background = new Set<Promise<unknown>>()
  private readonly leases: LeaseBatches
  private readonly store: CacheStore
  private readonly clock: Clock
  private readonly statistics: Statistics
  private readonly values: Values
  private readonly origin: ConcurrencyLimit

  constructor({ store, tagClock, clock, random, statistics, values, origin, onHolds }: LoadSurroundings) {
    this.store = store
    this.clock = clock
    this.statistics = statistics
    this.values = values
    this.origin = origin
    this.waiters = new Waiters(store.wakes, clock)
    this.leases = new LeaseBatches(store, tagClock, random, (error) => statistics.failed(error), onHolds)
  }

  /** A caller whose read begins now. */
  newCaller(plan: LoadPlan): Caller {
    return { began: ++this.sequence, plan, away: false, held: false, replaces: null, holders: new Set() }
  }

  /** Loads the key behind its callers' backs, once a process and under the lease (R15), unless it is being loaded already. */
  refresh(key: string, caller: Caller): void {
    if (this.running.has(key) || this.scope.has(key)) return
    const load = new Load(key)
    this.running.set(key, load)
    // Not among what `close` waits for: a loader may take for ever.
    void this.run(load, caller, true)
  }

  /** Joins the running load of the key, or starts one. */
  async join(key: string, caller: Caller): Promise<Outcome> {
    if (this.scope.has(key)) return { value: await this.call(caller.plan, caller.plan.newContext(), key) }
    const running = this.running.get(key)
    if (running !== undefined && !running.joinable) {
      // A read sent before the fill was answered could find no more than this one did.
      await running.settled
      return caller.away ? this.join(key, caller) : null
    }
    const around = this.scope.keys()
    // It waits, maybe through others, for a load that this caller is a part of: neither would ever end.
    if (running !== undefined && around.length > 0 && reaches(running, new Set(around))) {
      return { value: await this.call(caller.plan, caller.plan.newContext(), key) }
    }
    const load = running ?? new Load(key)
    if (around.length > 0) {
      load.urgent = true
      load.goPast()
    }
    const scope = new AsyncResource('VextrusLoad')
    const outcome = new Promise<Outcome>((resolve, reject) =>
      load.joined.push({ ...caller, caller, scope, resolve, reject }),
    )
    if (running === undefined) {
      this.running.set(key, load)
      void this.run(load, caller)
    }
    return around.length === 0 ? outcome : this.waiting(around, load, outcome)
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

  /** Runs `work` such that reads of these keys in it load directly: they are being loaded by it. */
  runInside<T>(keys: readonly string[], work: () => T | PromiseLike<T>): Promise<T> {
    return this.scope.run(keys, work)
  }

  /** Lets the waiters go and waits for fills and releases that are under way. */
  async close(): Promise<void> {
    this.waiters.close()
    // A fill without an answer leaves the release of its lease behind.
    while (this.background.size > 0) await Promise.allSettled(this.background)
  }

  private async run(load: Load, leader: Caller, inBackground = false): Promise<void> {
    try {
      const grant = await this.claim(load, leader, inBackground)
      if (grant !== 'over') await this.perform(load, leader, grant)
    } catch (error) {
      if (inBackground) cacheRefreshFailed.publish(() => ({ key: load.key, cause: error }))
      this.end(load, (joined) => joined.reject(error))
    }
  }

  /** R7 and R10: the grant; null to load without storing; 'over' when the callers have their answer already. */
  private async claim(load: Load, leader: Caller, inBackground: boolean): Promise<Grant | null | 'over'> {
    if (leader.away || leader.held) return null
    const wait = this.waiters.open(load.key)
    try {
      const asked = ++this.sequence
      const claim = await this.leases.claim(load.key, LEASE_MS, leader.replaces)
      if (claim.kind === 'granted') return claim.grant
      if (claim.kind !== 'busy' && claim.lease !== null) this.release(claim.lease)
      if (claim.kind === 'found') {
        // Only who was reading before the question was sent may share its answer.
        this.end(load, (joined) => {
          if (joined.began > asked) joined.resolve(null)
          else this.found(joined, load.key, claim.entry)
        })
        return 'over'
      }
      // The entry is still served: what can't be stored, or another process is loading, is not loaded for it.
      if (inBackground && load.joined.length === 0) {
        this.end(load, () => undefined)
        return 'over'
      }
      if (claim.kind === 'away') leader.away = true
      if (claim.kind !== 'busy' || (!leader.holders.has(claim.holder) && leader.holders.size >= MOST_HOLDERS)) {
        return null
      }
      await wait.atMost(claim.remainingMs)
      this.end(load, (joined) => {
        joined.holders.add(claim.holder)
        joined.resolve(null)
      })
      return 'over'
    } finally {
      wait.close()
    }
  }

  /** A value of its own for each; who can't read it looks for another one. */
  private found(joined: Joined, key: string, entry: StoredEntry): void {
    const outcome = async (): Promise<Outcome> => {
      const value = await this.values.read(key, entry)
      if (value !== UNREADABLE) return { value }
      joined.caller.replaces = entry
      return null
    }
    outcome().then(joined.resolve, joined.reject)
  }

  private async perform(load: Load, leader: Caller, grant: Grant | null): Promise<void> {
    const { plan } = leader
    const context = plan.newContext()
    const renewal = grant === null ? null : this.keepAlive(grant.lease)
    let loadMs = 0
    let value: unknown
    let stored: (Encoded & { ttlMs: number; graceMs: number; tags: readonly string[] }) | null
    try {
      value = await this.bounded(load, leader, async () => {
        const started = this.clock.mono()
        load.began = ++this.sequence
        const loaded = await this.call(plan, context, load.key)
        loadMs = this.clock.mono() - started
        return loaded
      })
      const storing = plan.storing(value, context)
      const encoded = storing === null ? null : await this.values.ofLoad(load.key, value)
      stored = storing === null || encoded === null ? null : { ...storing, ...encoded }
    } catch (error) {
      if (grant !== null) this.release(grant.lease)
      throw error
    } finally {
      renewal?.cancel()
    }
    load.joinable = false
    const answer = (joined: Joined) => {
      if (joined.caller === leader || stored === null) return joined.resolve({ value })
      const copy = this.values.copy(load.key, stored)
      if (copy instanceof Promise) copy.then((own: unknown) => joined.resolve({ value: own }), joined.reject)
      else joined.resolve({ value: copy })
    }
    const late = load.joined.filter((joined) => joined.began > load.began)
    const filled = grant !== null && stored !== null ? this.fill(grant, stored, loadMs) : null
    if (grant !== null && stored === null) {
      // What it should have replaced would be served on, and loaded for again at every read, until its grace is over.
      if (leader.replaces !== null && !context.skipped) this.inBackground(this.store.delete([load.key]))
      else this.release(grant.lease)
    }
    for (const joined of load.joined) if (joined.began < load.began) answer(joined)
    const accepted = filled !== null && (await filled)
    load.joined.length = 0
    load.joined.push(...late)
    this.end(load, (joined) => {
      if (accepted) answer(joined)
      else joined.scope.runInAsyncScope(() => this.join(load.key, joined.caller)).then(joined.resolve, joined.reject)
    })
  }

  /**
   * While the store is away every process loads for itself, and every key: so many at once and no more. What another load waits for does not
   * queue, or goes on past the others, or that one would keep the place that it waits for.
   */
  private bounded(load: Load, leader: Caller, work: () => Promise<unknown>): Promise<unknown> {
    if (!leader.away || load.urgent) return work()
    return this.origin.run(work, (goPast) => (load.goPast = goPast))
  }

  private end(load: Load, tell: (joined: Joined) => void): void {
    load.joinable = false
    this.running.delete(load.key)
    load.settle()
    load.joined.forEach(tell)
  }

  private async call(plan: LoadPlan, context: LoadContext, key: string): Promise<unknown> {
    this.statistics.loaded(key)
    try {
      return await this.runInside([key], () => plan.load(context))
    } catch (error) {
      this.statistics.loadFailed(key)
      throw error
    }
  }

  private keepAlive(lease: HeldLease): Timer {
    const until = this.clock.mono() + LONGEST_LOAD_MS
    let timer: Timer
    let stopped = false
    const again = () => {
      timer = this.clock.timer(LEASE_MS / 3, () => {
        if (this.clock.mono() >= until) return
        this.inBackground(
          this.store.renew([lease], LEASE_MS).then(([held]) => {
            if (held === true && !stopped) again()
          }),
        )
      })
    }
    again()
    return {
      cancel: () => {
        stopped = true
        timer.cancel()
      },
    }
  }

  private fill(
    { lease, g, s, e }: Grant,
    { codec, payload, ttlMs, graceMs, tags }: Omit<NewEntry, 'key' | 'g' | 's' | 'deltaMs' | 'version'>,
    loadMs: number,
  ): Promise<boolean> {
    // Early refresh weighs the load's duration: one slow load must not have the entry refreshed all the time (R15).
    const deltaMs = Math.round(Math.min(loadMs, ttlMs / 3))
    const entry = { key: lease.key, g, s, deltaMs, version: null, codec, payload, ttlMs, graceMs, tags }
    const filled = this.leases.fill({ ...lease, e, entry }).then((accepted) => {
      // Should it still come to the store it is refused; without this the others would wait for the lease's end.
      if (accepted === null) this.release(lease)
      return accepted === true
    })
    this.track(filled)
    return filled
  }

  private release(lease: HeldLease): void {
    this.inBackground(this.store.release([lease]))
  }

  /** Work nobody waits for: what it could not do in the store, the lease's end does. */
  private inBackground(work: Promise<unknown>): void {
    this.track(
      work.catch((error: unknown) => {
        if (!(error instanceof CacheUnavailableError)) throw error
        this.statistics.failed(error)
      }),
    )
  }

  private track(work: Promise<unknown>): void {
    this.background.add(work)
    const done = () => void this.background.delete(work)
    work.then(done, done)
  }
}

/** Whether a load is one of these keys, or waits for one. */
function reaches(load: Load, keys: ReadonlySet<string>, seen = new Set<Load>()): boolean {
  if (keys.has(load.key)) return true
  seen.add(load)
  return load.waitsFor.some((next) => !seen.has(next) && reaches(next, keys, seen))
}
