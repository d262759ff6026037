import { onAbort } from '../kernel/abort-listeners.js'
import type { Clock, Timer } from '../kernel/clock.js'
import type { StoredEntry } from './cache-store.js'
import { LoadTimeoutError } from './errors.js'
import type { LoadPlan } from './load-plan.js'

/** What comes of waiting when the caller has left. */
export const LEFT = Symbol('left')

/**
 * A call of `getOrSet` on its way: what its reads have shown it, and for how long it waits.
 *
 * Its time begins when it first needs a load; until then it has no timer and listens to no signal, so a hit pays for neither. It leaves what it
 * waits for when its `signal` aborts, when `loadTimeout.hard` is over, and after `loadTimeout.soft` where it has a stale value to go with. What
 * it left goes on for the others.
 */
export class Caller {
  /** Its last read got no answer: it asks for no lease. */
  away = false
  /** Its last read saw that somebody's work on the key is under way: it asks for no lease. */
  held = false
  /** The entry that its last read found wanting: stale, nearly so, or unreadable. */
  replaces: StoredEntry | null = null
  /** The same, where it can be read: its loader is shown the value, and when it fails there is no hurry to try again. */
  stale: StoredEntry | null = null
  /** The stale value that its read saw: what it is answered when a load fails or takes too long. */
  fallback: { readonly value: unknown } | null = null
  private waitedFor: Set<string> | null = null
  private softAt = Number.POSITIVE_INFINITY
  private hardAt: number | null = null
  private timer: Timer | null = null
  private timerAt = Number.POSITIVE_INFINITY
  private leaving: 'late' | 'aborted' | null = null
  private onLeave: (() => void) | null = null
  private stopListening: (() => void) | null = null

  /** @param began number drawn when its read began */
  constructor(
    readonly began: number,
    readonly plan: LoadPlan,
    private readonly clock: Clock,
  ) {}

  /** Leases of other processes that it has waited for. */
  get holders(): Set<string> {
    return (this.waitedFor ??= new Set())
  }

  /** Whether it needed a load before. */
  get isWaiting(): boolean {
    return this.hardAt !== null
  }

  /** It waits no more. */
  get hasLeft(): boolean {
    return this.leaving !== null
  }

  /** Its signal aborted: it wants no answer. */
  get hasAborted(): boolean {
    return this.leaving === 'aborted'
  }

  /** What is left of its time, once it needs a load, ms. */
  get remainingMs(): number {
    return Math.max(0, this.hardAt! - this.clock.mono())
  }

  /** Its time begins, unless it has. @throws the signal's reason, when that has aborted */
  needsLoad(): void {
    if (this.hardAt !== null) return
    const { signal, timeouts } = this.plan
    signal?.throwIfAborted()
    const now = this.clock.mono()
    this.hardAt = now + timeouts.hardMs
    if (timeouts.softMs !== null) this.softAt = now + timeouts.softMs
    if (signal !== undefined) this.stopListening = onAbort(signal, () => this.leave('aborted'))
  }

  /**
   * The outcome of `work`, or {@link LEFT} as soon as it leaves.
   * @param leads its own load, which ends after this caller's time: one timer does for both @param onLeave what is to be done then
   */
  within<T>(work: PromiseLike<T>, leads = false, onLeave?: () => void): Promise<T | typeof LEFT> {
    return new Promise((resolve, reject) => {
      this.onLeave = () => {
        onLeave?.()
        resolve(LEFT)
      }
      work.then(resolve, reject)
      if (this.leaving === null) this.setTimer(leads)
      else this.leave(this.leaving)
    })
  }

  /** What it is answered where it left. @throws the signal's reason, LoadTimeoutError */
  parting(): unknown {
    if (this.leaving === 'aborted') throw this.plan.signal!.reason
    if (this.fallback !== null) return this.fallback.value
    throw this.timedOut()
  }

  timedOut(): LoadTimeoutError {
    return new LoadTimeoutError(this.plan.ownKey(), this.plan.timeouts.hardMs)
  }

  /** The call has its answer. */
  end(): void {
    if (this.hardAt === null) return
    this.timer?.cancel()
    this.onLeave = null
    this.stopListening?.()
  }

  private leave(why: 'late' | 'aborted'): void {
    this.leaving ??= why
    const { onLeave } = this
    this.onLeave = null
    onLeave?.()
  }

  /** For whichever comes first; again, when the reads have brought a stale value or taken it away. */
  private setTimer(leads: boolean): void {
    const at = Math.min(this.fallback === null ? Infinity : this.softAt, leads ? Infinity : this.hardAt!)
    if (at === this.timerAt) return
    this.timer?.cancel()
    this.timer = null
    this.timerAt = at
    if (at === Infinity) return
    const ms = at - this.clock.mono()
    if (ms > 0) this.timer = this.clock.timer(ms, () => this.leave('late'))
    else this.leave('late')
  }
}
