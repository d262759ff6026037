import type { Clock, Timer } from '../kernel/clock.js'
import { LockLostError, type LossReason } from './errors.js'
import { lockLost } from './events.js'
import type { Holder, LockName } from './lock-store.js'
import { timeToLive } from './options.js'

/** What became of giving a lock back. `'unknown'`: Redis did not answer; it is repeated until the lock's time is over anyway. */
export type ReleaseOutcome = 'released' | 'not-held' | 'unknown'

/** A lock that is held, by a caller of this process. */
export interface Lock extends AsyncDisposable {
  /** The caller's key. */
  readonly key: string
  /** Which of all grants this is. */
  readonly token: string
  /**
   * Larger than the fence of every earlier grant of the same key. Write it with what the lock protects, and refuse a write whose fence is
   * smaller than the one that stands there: so a holder that was stopped and does not know it can't undo a later one's work.
   */
  readonly fence: bigint
  /** When its time is over, ms since 1970, for display: {@link assertHeld} and {@link signal} decide by the monotonic clock. */
  readonly expiresAt: number
  /** Fires, with a `LockLostError`, as soon as the lock is lost, whatever the network does. */
  readonly signal: AbortSignal
  /** @throws LockLostError its time is over, it was lost or given back: nothing of its work may be written any more */
  assertHeld(): void
  /**
   * Gives it `ttlMs` more, from now. A lock that is lost is never got again by this.
   * @param ttlMs @default what it was acquired with
   * @throws LockLostError it was lost; LockUnavailableError Redis did not answer, and it is held until its time is over; InvalidDurationError
   */
  extend(ttlMs?: number): Promise<void>
  /** Gives it back. Never rejects. Twice, or after it was lost, is `'not-held'`. */
  release(): Promise<ReleaseOutcome>
}

/** What a {@link HeldLock} asks of those who made it. */
export interface LockKeeper {
  readonly clock: Clock
  /** @throws LockUnavailableError */
  extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean>
  /** Never rejects. */
  release(lock: HeldLock): Promise<ReleaseOutcome>
  /** The lock was lost. */
  lost(lock: HeldLock): void
}

/** A grant, as the store gave it. */
export interface Grant {
  readonly lock: LockName
  readonly holder: Holder
  readonly fence: bigint
  readonly ttlMs: number
  /** When the call that was granted was sent: the store's time to live began later, so ours ends earlier. Monotonic and wall-clock ms. */
  readonly sentAt: Moment
  /** An earlier copy of the call may still be under way to the store. */
  readonly doubtful: boolean
  /** Grants within the process, each handed on to the next past those who wait elsewhere, up to this one. */
  readonly turns: number
}

export interface Moment {
  readonly mono: number
  readonly wall: number
}

export function momentOf(clock: Clock): Moment {
  return { mono: clock.mono(), wall: clock.wall() }
}

/**
 * A lock knows by itself that it is lost: its time counts from when the call that got it was *sent*, on this machine's monotonic clock, and ends
 * a little early, since clocks don't run equally fast. So it ends here before it ends in Redis, and no message is needed to know it. The wall
 * clock, which goes on while a machine sleeps, may end it earlier, never later.
 */
export class HeldLock implements Lock {
  readonly key: string
  readonly token: string
  readonly fence: bigint

  /** Told when it ends sooner than was planned. */
  shortened: (() => void) | undefined
  /** The engine counts it no more. */
  forgotten = false

  private readonly controller = new AbortController()
  private readonly heldSince: number
  private state: 'held' | LossReason = 'held'
  private ends: Moment
  private timer: Timer | undefined
  private extensions = 0
  private givenBack = false

  constructor(
    private readonly keeper: LockKeeper,
    readonly grant: Grant,
  ) {
    const { lock, holder, fence, sentAt, ttlMs } = grant
    this.key = lock.key
    this.token = holder.token
    this.fence = fence
    this.heldSince = keeper.clock.mono()
    this.ends = endOf(sentAt, ttlMs)
    this.schedule()
  }

  get clock(): Clock {
    return this.keeper.clock
  }

  /** What it was acquired with, ms. */
  get ttlMs(): number {
    return this.grant.ttlMs
  }

  get expiresAt(): number {
    return this.ends.wall
  }

  get signal(): AbortSignal {
    this.look()
    return this.controller.signal
  }

  /** Not lost as far as this process can know, and not given back. */
  get held(): boolean {
    this.look()
    return this.state === 'held'
  }

  /** Why it is not held any more; undefined when it is, or was given back in time. */
  get lost(): Exclude<LossReason, 'released'> | undefined {
    this.look()
    return this.state === 'held' || this.state === 'released' ? undefined : this.state
  }

  /** Since it was got, ms. */
  get heldMs(): number {
    return this.keeper.clock.mono() - this.heldSince
  }

  /** Until its time is over, ms; negative afterwards. */
  get leftMs(): number {
    return leftOf(this.ends, this.keeper.clock)
  }

  assertHeld(): void {
    this.look()
    if (this.state !== 'held') throw new LockLostError(this.key, this.state)
  }

  async extend(ttlMs: number = this.grant.ttlMs): Promise<void> {
    const ms = timeToLive(ttlMs, 'ttlMs')
    this.assertHeld()
    const ends = endOf(momentOf(this.keeper.clock), ms)
    const extension = ++this.extensions
    // A shorter time counts from now on: the store may have it, whether or not its answer comes.
    if (ends.mono < this.ends.mono) {
      this.endAt(ends)
      this.shortened?.()
    }
    const extended = await this.keeper.extend(this.grant.lock, this.grant.holder, ms)
    if (!extended) this.lose('gone')
    // Also when its time was over while the answer was on its way: somebody was told so.
    this.assertHeld()
    if (extension === this.extensions) this.endAt(ends)
  }

  async release(): Promise<ReleaseOutcome> {
    if (this.givenBack) return 'not-held'
    const { lost } = this
    if (this.state === 'held') this.state = 'released'
    this.timer?.cancel()
    this.givenBack = true
    const outcome = await this.keeper.release(this)
    if (outcome === 'unknown') this.givenBack = false
    // Redis may have had it a moment longer than its holder.
    return lost !== undefined && outcome === 'released' ? 'not-held' : outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** The store does not have it any more, or its time is over. */
  lose(reason: Exclude<LossReason, 'released'>): void {
    if (this.state !== 'held') return
    this.state = reason
    this.timer?.cancel()
    const { kind, key } = this.grant.lock
    lockLost.publish(() => ({ kind, key, heldMs: this.heldMs, reason }))
    this.keeper.lost(this)
    this.controller.abort(new LockLostError(this.key, reason))
  }

  /** A timer fires late where the process was stopped or busy; so everybody who asks looks at the clock. */
  private look(): void {
    if (this.state === 'held' && this.leftMs <= 0) this.lose('expired')
  }

  private endAt(ends: Moment): void {
    this.ends = ends
    this.schedule()
  }

  private schedule(): void {
    this.timer?.cancel()
    this.timer = this.keeper.clock.timer(Math.max(0, this.leftMs), () => {
      this.look()
      // A timer may fire a little early.
      if (this.state === 'held') this.schedule()
    })
  }
}

/** When a lock that was asked for at `sentAt` ends for its holder. */
export function endOf(sentAt: Moment, ttlMs: number): Moment {
  const ms = ttlMs - Math.min(DRIFT_MS + ttlMs / 1_000, ttlMs / 2)
  return { mono: sentAt.mono + ms, wall: sentAt.wall + ms }
}

/** Until `ends`, by the clock that says less. */
export function leftOf(ends: Moment, clock: Clock): number {
  return Math.min(ends.mono - clock.mono(), ends.wall - clock.wall())
}

/** The store's milliseconds are whole; and a thousandth of the time for clocks that run unequally fast, ten times what NTP corrects at most. */
const DRIFT_MS = 2
