import type { Clock } from './clock.js'

/** When a {@link CircuitBreaker} opens, and for how long. */
export interface CircuitBreakerOptions {
  /** Consecutive failures that open it. */
  readonly failures: number
  /** How long it stays open before it lets a probe through, in ms. */
  readonly coolDownMs: number
}

/** `closed`: calls pass. `open`: calls are refused. `half-open`: one probe is under way and decides. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/**
 * A circuit breaker: after some failures in a row it refuses calls at once instead of letting each wait for its deadline, and after a
 * cool-down one probe finds out whether things are well again (Michael Nygard, *Release It!*, Pragmatic Bookshelf).
 *
 * The caller asks `allow()`, and reports the outcome of every call that it allowed.
 */
export class CircuitBreaker {
  private current: CircuitState = 'closed'
  private failuresInARow = 0
  /** When it opened, or when the probe left. */
  private since = 0

  constructor(
    private readonly options: CircuitBreakerOptions,
    private readonly clock: Clock,
  ) {}

  get state(): CircuitState {
    return this.current
  }

  /** Whether the call may be made now. */
  allow(): boolean {
    if (this.current === 'closed') return true
    // Also in half-open: a probe whose outcome was never reported must not keep the circuit shut for ever.
    const now = this.clock.mono()
    if (now - this.since < this.options.coolDownMs) return false
    this.current = 'half-open'
    this.since = now
    return true
  }

  /** A call went well. While open, that is a late answer to a call from before: the probe decides, not it. */
  success(): void {
    if (this.current === 'open') return
    this.current = 'closed'
    this.failuresInARow = 0
  }

  /** A call failed. While open, it is one from before, and doesn't prolong the cool-down. */
  failure(): void {
    if (this.current === 'open') return
    this.failuresInARow++
    if (this.current === 'closed' && this.failuresInARow < this.options.failures) return
    this.current = 'open'
    this.since = this.clock.mono()
  }
}
