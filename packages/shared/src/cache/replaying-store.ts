import { Backoff } from '../kernel/backoff.js'
import type { Clock, Timer } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import { globMatcher } from '../kernel/glob.js'
import type { RandomSource } from '../kernel/random.js'
import { SingleFlight } from '../kernel/single-flight.js'
import type {
  AcquireReply,
  CacheStore,
  Fill,
  FillReply,
  HeldLease,
  Hold,
  LeaseRequest,
  Lifetime,
  NewEntry,
  ReadReply,
  SetReply,
  StandingHold,
  StoredEntry,
  TagReply,
  PushSource,
} from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import type { CacheLogger } from './options.js'
import { type Owed, OWED_KINDS, ReplayLog, sizeOf } from './replay-log.js'

/** What a {@link ReplayingStore} takes from its surroundings. */
export interface ReplayEnvironment {
  readonly clock: Clock
  readonly random: RandomSource
  readonly logger: Pick<CacheLogger, 'warn'>
  /** Told of the generation that a repeated clear has begun: give back the memory of the older ones. */
  readonly onCleared?: ((generation: string) => void) | undefined
}

/** Told of what this process writes. */
export interface OwnWrites {
  wrote(keys: readonly string[]): void
  wroteWhere(matches: (key: string) => boolean): void
  wroteClock(): void
  wroteAll(): void
}

/** Bounds of a {@link ReplayingStore}. */
export interface ReplayOptions {
  /** Names that the log holds; beyond it all becomes one clear. @default 10_000 */
  readonly limit?: number | undefined
  /** How long a read waits for the invalidations that go before it, and `close` for its last attempt, ms. @default 500 */
  readonly patienceMs?: number | undefined
}

/** Between two attempts. The first is soon: often it was one slow answer. */
const BACKOFF = { baseMs: 50, capMs: 1_000 }

/**
 * A store in front of another, that repeats the invalidations which that one failed to acknowledge (R24).
 *
 * An invalidation that ends in `CacheUnavailableError` enters the process's log and rejects with `pending: true`. So does, as a delete of
 * its key, a write that failed or came late: its caller has changed the data, and the entry from before may still be there. While the log
 * holds anything, what reads, or stores what was loaded, waits until all of it has been repeated, and rejects while that fails: the caller
 * has a miss. A timer repeats too, with a backoff, since other processes read what should be gone.
 *
 * Why that is enough. Take an invalidation I that failed at f and was repeated with success, its repetition having been sent at r > f. It
 * is in the log before its caller hears of the failure.
 *  - A read by this process that begins after f finds the log not empty. It is sent after every repetition was acknowledged, so after I took
 *    effect. A read that began before f overlaps I; its value enters no L1, for I dirtied its ticket at its answer (R17).
 *  - A load of this process that was granted its lease before r can't store: its fill waits for the repetition, which drops the lease or
 *    moves the clock past the entry. Therefore its value isn't shared with later callers either, as R9 asks for a fill that was accepted and
 *    a clock read with it.
 *  - Another process may read and store the old value until r: I has not resolved, so P1 doesn't speak of it. The repetition removes what was
 *    stored and the leases of the loads under way, as I would have. From its answer on P1 holds for I as if it had been called then, and
 *    so for every load that began before I.
 *  - I may have happened although it failed, or still happen late. Then it, or its repetition, also takes away what was stored since: by a
 *    `set` of this process, which waits for nothing, or by a load that began after I. That is a miss, not a stale value. Nothing in the log
 *    ever stores, so neither order nor number of the repetitions matters.
 *  - I fails once more while its own repetition is under way: that one may have been carried out before the second call, so it must not pay
 *    for both. What is being repeated is therefore out of the log, and the second call enters it anew.
 *  - A write is reported as failed only when it can no longer land (R14), so the delete logged for it is later than it.
 *
 * Placing a hold is not logged, its work has not begun; nor is renewing or finishing one: the hold stands until it expires, then others
 * finish it. Ending one is. The log dies with its process.
 *
 * A long file, for the port has twenty operations and each must be on one side of the gate.
 */
export class ReplayingStore implements CacheStore {
  /** L1, which acts on what this process writes at once, and once more when it is answered or has failed (R17). */
  near: OwnWrites | null = null
  /** Nothing is owed and nothing is being repeated: the way past is open, and costs one comparison. */
  private idle = true
  private closed = false
  private readonly log: ReplayLog
  private readonly attempts = new SingleFlight<'replay', CacheUnavailableError | null>()
  private readonly backoff: Backoff
  private readonly patienceMs: number
  private timer: Timer | null = null
  /** The last attempt failed, and the next is not due yet: what reads are told meanwhile. */
  private refusal: CacheUnavailableError | null = null
  private underWay = 0
  private repeated = 0
  private maxTags = 0

  constructor(
    private readonly inner: CacheStore,
    private readonly environment: ReplayEnvironment,
    { limit, patienceMs = 500 }: ReplayOptions = {},
  ) {
    this.log = new ReplayLog(limit)
    this.backoff = new Backoff(BACKOFF, environment.random)
    this.patienceMs = patienceMs
  }

  /** How many invalidations this process still owes to the store: keys, tags, patterns and names of holds; a clear is one. */
  get pending(): number {
    return this.log.size + this.underWay
  }

  /** Something is owed: what the clock says lacks what this process has invalidated. */
  get owes(): boolean {
    return !this.idle
  }

  get inOrder(): boolean {
    return this.inner.inOrder
  }

  get pushes(): PushSource {
    return this.inner.pushes
  }

  read(keys: readonly string[], since: number | null): Promise<ReadReply> {
    return this.idle ? this.inner.read(keys, since) : this.after(() => this.inner.read(keys, since))
  }

  tags(tags: readonly string[]): Promise<TagReply> {
    return this.idle ? this.inner.tags(tags) : this.after(() => this.inner.tags(tags))
  }

  createClock(): Promise<TagReply> {
    return this.idle ? this.inner.createClock() : this.after(() => this.inner.createClock())
  }

  acquire(leases: readonly LeaseRequest[], since: number | null): Promise<AcquireReply> {
    return this.idle ? this.inner.acquire(leases, since) : this.after(() => this.inner.acquire(leases, since))
  }

  fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply> {
    return this.idle ? this.inner.fill(fills, tags) : this.after(() => this.inner.fill(fills, tags))
  }

  touch(key: string, seen: StoredEntry, lifetime: Lifetime): Promise<boolean> {
    return this.written({ kind: 'keys', keys: [key] }, () =>
      this.idle ? this.inner.touch(key, seen, lifetime) : this.after(() => this.inner.touch(key, seen, lifetime)),
    )
  }

  lifetime(key: string): Promise<number | null> {
    return this.idle ? this.inner.lifetime(key) : this.after(() => this.inner.lifetime(key))
  }

  renew(leases: readonly HeldLease[], ttlMs: number): Promise<boolean[]> {
    return this.inner.renew(leases, ttlMs)
  }

  release(leases: readonly HeldLease[]): Promise<void> {
    return this.inner.release(leases)
  }

  set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    const owed: Owed = { kind: 'keys', keys: entries.map(({ key }) => key) }
    return this.written(owed, async () => {
      try {
        const reply = await this.inner.set(entries, since)
        this.logFailed(entries, reply)
        return reply
      } catch (error) {
        if (error instanceof CacheUnavailableError) this.enter(owed)
        throw error
      }
    })
  }

  delete(keys: readonly string[]): Promise<boolean[]> {
    return this.invalidate({ kind: 'keys', keys }, () => this.inner.delete(keys))
  }

  deletePattern(glob: string): Promise<number> {
    return this.invalidate({ kind: 'pattern', glob }, () => this.inner.deletePattern(glob))
  }

  bumpTags(tags: readonly string[], maxTags: number): Promise<void> {
    this.maxTags = maxTags
    return this.invalidate({ kind: 'tags', tags }, () => this.inner.bumpTags(tags, maxTags))
  }

  clear(): Promise<string> {
    return this.invalidate({ kind: 'clear' }, () => this.inner.clear())
  }

  reclaim(generation: string): Promise<number> {
    return this.inner.reclaim(generation)
  }

  placeHold(hold: Hold, ttlMs: number, maxTags: number): Promise<boolean> {
    return this.written({ kind: 'hold', hold }, () => this.inner.placeHold(hold, ttlMs, maxTags))
  }

  renewHold(hold: Hold, ttlMs: number): Promise<boolean> {
    return this.inner.renewHold(hold, ttlMs)
  }

  endHold(hold: Hold, maxTags: number): Promise<void> {
    this.maxTags = maxTags
    return this.invalidate({ kind: 'hold', hold }, () => this.inner.endHold(hold, maxTags))
  }

  finishHolds(holds: readonly StandingHold[], maxTags: number): Promise<void> {
    return this.inner.finishHolds(holds, maxTags)
  }

  /** Repeats what is owed now, without waiting for the timer; call it when the connection is back. Never rejects for an absent store. */
  async replay(): Promise<void> {
    if (!this.idle) await this.attempt()
  }

  /** One last attempt, for as long as a read would wait; what is then still owed is lost with this process, and said in one line. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.timer?.cancel()
    if (this.idle) return
    await withDeadline(this.attempt(), this.patienceMs, this.environment.clock, tooSlow).catch(unavailable)
    if (this.pending === 0) return
    this.environment.logger.warn(
      `${this.pending} invalidations were never acknowledged by the store and end with this process: entries that they should have removed live until their TTL`,
    )
  }

  /** Lets a call through once nothing is owed. */
  private async after<T>(call: () => Promise<T>): Promise<T> {
    // A loop: when an attempt ends, and this goes on some microtasks later, another invalidation may have failed in between.
    while (!this.idle) {
      if (this.refusal !== null) throw this.refusal
      const failure = await withDeadline(this.attempt(), this.patienceMs, this.environment.clock, tooSlow)
      if (failure !== null) throw refused(failure)
    }
    return call()
  }

  private invalidate<T>(owed: Owed, send: () => Promise<T>): Promise<T> {
    return this.written(owed, async () => {
      try {
        return await send()
      } catch (error) {
        if (!(error instanceof CacheUnavailableError) || !this.enter(owed)) throw error
        const { message, cause, key } = error
        throw new CacheUnavailableError(`${message}. This process repeats it as soon as the store answers`, {
          pending: true,
          ...(cause === undefined ? undefined : { cause }),
          ...(key === undefined ? undefined : { key }),
        })
      }
    })
  }

  /** Tells L1 of a write at its call, before it is sent, and once more when it was answered or has failed (R17). */
  private async written<T>(what: Owed, send: () => Promise<T>): Promise<T> {
    this.tellNear(what)
    try {
      return await send()
    } finally {
      this.tellNear(what)
    }
  }

  private tellNear(owed: Owed): void {
    const { near } = this
    if (near === null) return
    switch (owed.kind) {
      case 'clear':
        return near.wroteAll()
      case 'tags':
        return near.wroteClock()
      case 'keys':
        return near.wrote(owed.keys)
      case 'pattern':
        return near.wroteWhere(globMatcher(owed.glob))
      case 'hold':
        near.wrote(owed.hold.keys)
        near.wroteClock()
    }
  }

  /** `older` is no failure: what is there is newer than what was written. */
  private logFailed(entries: readonly NewEntry[], { outcomes }: SetReply): void {
    if (outcomes.every((outcome) => outcome === 'stored' || outcome === 'older')) return
    const failed = entries.filter((_, i) => outcomes[i] !== 'stored' && outcomes[i] !== 'older')
    this.enter({ kind: 'keys', keys: failed.map(({ key }) => key) })
  }

  /** False: this process is ending, and promises nothing any more. */
  private enter(owed: Owed): boolean {
    if (this.closed) return false
    this.add(owed)
    if (this.idle) {
      this.idle = false
      this.environment.logger.warn(
        'The store did not acknowledge an invalidation. It is repeated until it does; until then this process reads nothing from the store',
      )
      this.schedule()
    }
    return true
  }

  private add(owed: Owed): void {
    if (this.log.add(owed)) return
    this.environment.logger.warn(
      'More invalidations wait for the store than are remembered: the whole cache is cleared when it answers',
    )
  }

  /** One at a time; null when nothing is owed any more. */
  private attempt(): Promise<CacheUnavailableError | null> {
    return this.attempts.run('replay', () => this.repeatAll())
  }

  private async repeatAll(): Promise<CacheUnavailableError | null> {
    this.timer?.cancel()
    this.refusal = null
    while (this.log.size > 0) {
      // Side by side, as their order is free: where one master is away, what concerns the others gets done.
      const outcomes = await Promise.all(OWED_KINDS.map((kind) => this.repeatKind(kind)))
      const failure = outcomes.find((outcome) => outcome !== null)
      if (failure === undefined) continue
      this.refusal = refused(failure)
      this.schedule()
      return failure
    }
    this.idle = true
    this.backoff.reset()
    this.environment.logger.warn(`The store answers again: ${this.repeated} invalidations were repeated`)
    this.repeated = 0
    return null
  }

  /** Up to the first failure: after it the others of the kind would most likely wait in vain. */
  private async repeatKind(kind: Owed['kind']): Promise<CacheUnavailableError | null> {
    for (let owed = this.log.take(kind); owed !== null; owed = this.log.take(kind)) {
      const failure = await this.repeat(owed)
      if (failure !== null) return failure
    }
    return null
  }

  private async repeat(owed: Owed): Promise<CacheUnavailableError | null> {
    const size = sizeOf(owed)
    let done = false
    this.underWay += size
    try {
      await this.send(owed)
      done = true
      this.repeated += size
      this.tellNear(owed)
      return null
    } catch (error) {
      return unavailable(error)
    } finally {
      this.underWay -= size
      if (!done) this.add(owed)
    }
  }

  private async send(owed: Owed): Promise<void> {
    switch (owed.kind) {
      case 'clear': {
        // On a line of its own: an optional call that has nobody to call does not evaluate its argument.
        const generation = await this.inner.clear()
        this.environment.onCleared?.(generation)
        break
      }
      case 'tags':
        await this.inner.bumpTags(owed.tags, this.maxTags)
        break
      case 'keys':
        await this.inner.delete(owed.keys)
        break
      case 'hold':
        await this.inner.endHold(owed.hold, this.maxTags)
        break
      case 'pattern':
        await this.inner.deletePattern(owed.glob)
    }
  }

  private schedule(): void {
    if (this.closed) return
    this.timer = this.environment.clock.timer(this.backoff.next(), () => void this.attempt())
  }
}

/** Anything else is a defect, and goes on as one. */
function unavailable(error: unknown): CacheUnavailableError {
  if (error instanceof CacheUnavailableError) return error
  throw error
}

const refused = (cause: CacheUnavailableError): CacheUnavailableError =>
  new CacheUnavailableError('invalidations of this process must reach the store before it reads from it again', {
    cause,
  })

const tooSlow = (): CacheUnavailableError =>
  new CacheUnavailableError('invalidations of this process are being repeated, which takes longer than a read waits')
