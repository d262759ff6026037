import type { RandomSource } from './random.js'

/** How a {@link Backoff} grows. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in ms. */
  readonly baseMs: number
  /** Upper bound of every wait, in ms. */
  readonly capMs: number
}

/**
 * How long to wait before the next attempt: exponential with full jitter, a uniform choice from 1 to the bound, which doubles at each attempt
 * up to the cap. Clients that failed together come back spread out; of the variants compared by Marc Brooker ("Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015) this one makes the fewest calls.
 */
export class Backoff {
  private boundMs: number

  constructor(
    private readonly options: BackoffOptions,
    private readonly random: RandomSource,
  ) {
    this.boundMs = options.baseMs
  }

  /** The next wait: an integer of ms, at least 1. */
  next(): number {
    const bound = Math.min(this.boundMs, this.options.capMs)
    this.boundMs = bound * 2
    return 1 + Math.floor(this.random.float() * bound)
  }

  /** After a success: the next wait is a first one again. */
  reset(): void {
    this.boundMs = this.options.baseMs
  }
}
