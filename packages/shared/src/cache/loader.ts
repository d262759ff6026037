import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { TickBatch } from '../kernel/batch.js'
import type { Clock, Timer } from '../kernel/clock.js'
import { decodeJson, encodeJson } from '../kernel/codec/json.js'
import type { RandomSource } from '../kernel/random.js'
import type { AcquireReply, CacheStore, Fill, HeldLease, LeaseRequest, StoredEntry } from './cache-store.js'
import { judgeAll, lookUp } from './entry-reader.js'
import { CacheUnavailableError } from './errors.js'
import type { Statistics } from './statistics.js'
import { type Since, type TagClock, validBy } from './tag-clock.js'
import { Waiters } from './waiters.js'

/**
 * Loads: at most one running a key and process, and one in the whole fleet while its lease lives (P3).
 *
 * A load asks for the key's lease (R7), calls the loader, and stores the value under the lease (R8); an invalidation drops the lease, so a
 * value whose load it overtook is refused. Which callers may take the value of a load (R9) follows from order alone: every read and every
 * call of a loader draws a number from one counter. A caller whose read began before the loader was called may take the value in any case:
 * no invalidation that was acknowledged before that read can have been missed. Who came later may take it only if the store accepted it and
 * the clock read with the fill shows that nothing of it has been invalidated. The rest start the next load, together.
 */

/** Life of a lease. A process that dies while loading delays the others by this at most. */
export const LEASE_MS = 3_000
/** For how long a lease is renewed: a loader that takes longer loses its claim to be the only one. */
const LONGEST_LOAD_MS = 30_000
/** How many different processes a caller waits for before it loads for itself, without storing (R10). */
const MOST_HOLDERS = 2

/** What a loader is given. Settings made on it count for this load alone. */
export interface LoadContext {
  /** The key that is loaded. */
  readonly key: string
  /** Overrides the lifetime: seconds, or a string such as `'5m'`. @throws InvalidDurationError */
  setTtl(ttl: number | string): void
  /** Adds tags to those of the options. @throws InvalidKeyError */
  addTags(...tags: string[]): void
  /** The value is answered and not stored. */
  skip(): void
}

/** How one caller would load a key. */
export interface LoadPlan {
  /** Calls the user's loader. */
  load(context: LoadContext): unknown
  newContext(): PlanContext
  /** How the loaded value is to be stored; null: not at all. May throw what the user's callbacks throw. */
  storing(value: unknown, context: PlanContext): { ttlMs: number; tags: readonly string[] } | null
}

/** The loader's context with what was set on it. */
export interface PlanContext extends LoadContext {
  readonly ttlMs: number | null
  readonly tags: readonly string[]
  readonly skipped: boolean
}

/** A call of `getOrSet` on its way. */
export interface Caller {
  /** Number drawn when its read began. */
  readonly began: number
  readonly plan: LoadPlan
  /** Its last read got no answer: it asks for no lease. */
  away: boolean
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

interface Grant {
  readonly lease: HeldLease
  readonly g: string
  readonly s: number
  readonly e: string
}

class Load {
  /** Number drawn when the loader was called. */
  began = Number.POSITIVE_INFINITY
  /** False once the fill was sent: from then on nobody joins, they read. */
  joinable = true
  readonly joined: Joined[] = []
  readonly settled: Promise<void>
  settle!: () => void

  constructor(readonly key: string) {
    this.settled = new Promise((resolve) => (this.settle = resolve))
  }
}

export class Loads {
  private sequence = 0
  private readonly running = new Map<string, Load>()
  private readonly inside = new AsyncLocalStorage<ReadonlySet<string>>()
  private readonly waiters: Waiters
  private readonly background = new Set<Promise<unknown>>()
  private readonly acquiring = new TickBatch<AcquireRequest>((requests) => this.sendAcquires(requests))
  private readonly filling = new TickBatch<FillRequest>((requests) => this.sendFills(requests))

  constructor(
    private readonly store: CacheStore,
    private readonly tagClock: TagClock,
    private readonly clock: Clock,
    private readonly random: RandomSource,
    private readonly statistics: Statistics,
  ) {
    this.waiters = new Waiters(store.wakes, clock)
  }

  /** A caller whose read begins now. */
  newCaller(plan: LoadPlan): Caller {
    return { began: ++this.sequence, plan, away: false, holders: new Set() }
  }

  /** Joins the running load of the key, or starts one. */
  async join(key: string, caller: Caller): Promise<Outcome> {
    if (this.inside.getStore()?.has(key)) return { value: await this.call(caller.plan, caller.plan.newContext(), key) }
    const running = this.running.get(key)
    if (running !== undefined && !running.joinable) {
      if (!caller.away) return null
      await running.settled
      return this.join(key, caller)
    }
    const load = running ?? new Load(key)
    const scope = new AsyncResource('VextrusLoad')
    const outcome = new Promise<Outcome>((resolve, reject) =>
      load.joined.push({ ...caller, caller, scope, resolve, reject }),
    )
    if (running === undefined) {
      this.running.set(key, load)
      void this.run(load, caller)
    }
    return outcome
  }

  /** Runs `work` such that reads of these keys in it load directly: they are being loaded by it. */
  runInside<T>(keys: readonly string[], work: () => T): T {
    return this.inside.run(new Set([...(this.inside.getStore() ?? []), ...keys]), work)
  }

  /** Lets the waiters go and waits for fills and releases that are under way. */
  async close(): Promise<void> {
    this.waiters.close()
    await Promise.allSettled(this.background)
  }

  private async run(load: Load, leader: Caller): Promise<void> {
    try {
      const grant = await this.claim(load, leader)
      if (grant !== 'over') await this.perform(load, leader, grant)
    } catch (error) {
      this.end(load, (joined) => joined.reject(error))
    }
  }

  /** R7 and R10: the grant; null to load without storing; 'over' when the callers have their answer already. */
  private async claim(load: Load, leader: Caller): Promise<Grant | null | 'over'> {
    if (leader.away) return null
    const wait = this.waiters.open(load.key)
    try {
      const asked = ++this.sequence
      const claim = await this.acquire(load.key)
      if (claim.kind === 'granted') return claim.grant
      if (claim.kind === 'found') {
        // Only who was reading before the question was sent may share its answer.
        this.end(load, (joined) => joined.resolve(joined.began < asked ? { value: decodeEntry(claim.entry) } : null))
        return 'over'
      }
      if (claim.kind === 'away' || (!leader.holders.has(claim.holder) && leader.holders.size >= MOST_HOLDERS))
        return null
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

  private async perform(load: Load, leader: Caller, grant: Grant | null): Promise<void> {
    const { plan } = leader
    const context = plan.newContext()
    const renewal = grant === null ? null : this.keepAlive(grant.lease)
    const started = this.clock.mono()
    let value: unknown
    let stored: { codec: string; payload: string; ttlMs: number; tags: readonly string[] } | null
    try {
      load.began = ++this.sequence
      value = await this.call(plan, context, load.key)
      const storing = plan.storing(value, context)
      stored = storing === null ? null : { ...storing, ...encodeJson(value) }
    } catch (error) {
      if (grant !== null) this.release(grant.lease)
      throw error
    } finally {
      renewal?.cancel()
    }
    load.joinable = false
    const answer = (joined: Joined) =>
      joined.resolve({
        value: joined.caller === leader || stored === null ? value : decodeJson(stored.codec, stored.payload),
      })
    const late = load.joined.filter((joined) => joined.began > load.began)
    const filled =
      grant !== null && stored !== null
        ? this.fill({
            ...grant.lease,
            e: grant.e,
            entry: {
              ...stored,
              key: load.key,
              g: grant.g,
              s: grant.s,
              deltaMs: Math.round(this.clock.mono() - started),
            },
          })
        : null
    if (grant !== null && stored === null) this.release(grant.lease)
    for (const joined of load.joined) if (joined.began < load.began) answer(joined)
    const accepted = filled !== null && (await filled)
    load.joined.length = 0
    load.joined.push(...late)
    this.end(load, (joined) => {
      if (accepted) answer(joined)
      else joined.scope.runInAsyncScope(() => this.join(load.key, joined.caller)).then(joined.resolve, joined.reject)
    })
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

  private acquire(key: string): Promise<Claim> {
    return new Promise((resolve, reject) => {
      this.acquiring.add({ key, token: this.random.token(), ttlMs: LEASE_MS, resolve, reject })
    })
  }

  private async sendAcquires(requests: AcquireRequest[]): Promise<void> {
    try {
      const since = this.tagClock.since
      const reply = await this.store.acquire(requests, since === null ? null : since.s)
      const claims = await this.judgeClaims(requests, reply, since)
      requests.forEach((request, i) => request.resolve(claims[i]!))
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.reject(error))
      this.statistics.failed(error)
      for (const request of requests) request.resolve({ kind: 'away' })
    }
  }

  private async judgeClaims(requests: AcquireRequest[], reply: AcquireReply, since: Since | null): Promise<Claim[]> {
    const verdicts = judgeAll(this.tagClock, reply, since)
    const unknown = verdicts.flatMap((verdict, i) => (verdict === 'unknown' ? [i] : []))
    // The grant's g and s are of one reply (R7): this one's, or that of a clock made or read now. Later is as good: the load has not begun.
    let { g, s } = reply.clock
    if (g === null || s === null) {
      const clock = await this.store.createClock()
      this.tagClock.learn([], clock)
      g = clock.g
      s = clock.s
    }
    if (unknown.length > 0) {
      const valid = await lookUp(
        this.store,
        this.tagClock,
        unknown.map((i) => reply.entries[i]!),
      )
      unknown.forEach((i, n) => (verdicts[i] = valid[n]! ? 'valid' : 'invalid'))
    }
    return requests.map(({ key }, i): Claim => {
      const { granted, value, remainingMs } = reply.leases[i]!
      if (verdicts[i] === 'valid') {
        if (granted) this.release({ key, value })
        return { kind: 'found', entry: reply.entries[i]! }
      }
      if (!granted) return { kind: 'busy', holder: value, remainingMs }
      return { kind: 'granted', grant: { lease: { key, value }, g: g!, s: s!, e: reply.epochs[i]! } }
    })
  }

  private fill(fill: Fill): Promise<boolean> {
    const filled = new Promise<boolean>((resolve, reject) => this.filling.add({ fill, resolve, reject }))
    this.track(filled)
    return filled
  }

  private async sendFills(requests: FillRequest[]): Promise<void> {
    try {
      const tags = [...new Set(requests.flatMap(({ fill }) => fill.entry.tags))]
      const reply = await this.store.fill(
        requests.map(({ fill }) => fill),
        tags,
      )
      this.tagClock.learn(tags, reply.clock)
      const marks = new Map(tags.map((tag, i) => [tag, reply.clock.seqs[i]]))
      requests.forEach(({ fill: { entry }, resolve }, i) =>
        resolve(
          reply.stored[i]! &&
            validBy(
              entry.g,
              entry.s,
              entry.tags.map((tag) => marks.get(tag)),
              reply.clock,
            ),
        ),
      )
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.reject(error))
      this.statistics.failed(error)
      for (const request of requests) request.resolve(false)
    }
  }
}

type Claim =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'found'; readonly entry: StoredEntry }
  | { readonly kind: 'busy'; readonly holder: string; readonly remainingMs: number }
  | { readonly kind: 'away' }

interface AcquireRequest extends LeaseRequest {
  resolve(claim: Claim): void
  reject(error: unknown): void
}

interface FillRequest {
  readonly fill: Fill
  resolve(accepted: boolean): void
  reject(error: unknown): void
}

/** The value of an entry, new at each call. */
export const decodeEntry = (entry: StoredEntry): unknown => decodeJson(entry.codec, entry.payload)
