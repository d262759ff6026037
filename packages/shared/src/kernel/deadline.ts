import type { Clock, Timer } from './clock.js'

/** Timers of Node hold 31 bits; a longer delay fires at once. Nothing that is waited for lasts 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The outcome of `promise`, or after `ms` milliseconds a rejection with the error that `onTimeout` makes. The promise itself goes on: what it
 * does later is ignored, and a late rejection is not an unhandled one (the race has a handler on it). The timer ends with the outcome.
 */
export async function withDeadline<T>(
  promise: PromiseLike<T>,
  ms: number,
  clock: Clock,
  onTimeout: () => Error,
): Promise<T> {
  let timer: Timer | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = clock.timer(Math.min(ms, LONGEST_TIMER_MS), () => reject(onTimeout()))
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    timer?.cancel()
  }
}

/**
 * Waits for `promise`, and for `ms` milliseconds at most; 0: not at all. A rejection in that time is passed on; what the promise does later is
 * ignored.
 */
export async function waitAtMost(promise: PromiseLike<unknown>, ms: number, clock: Clock): Promise<void> {
  let timer: Timer | undefined
  const over = new Promise<void>((resolve) => {
    if (ms > 0) timer = clock.timer(Math.min(ms, LONGEST_TIMER_MS), resolve)
    else resolve()
  })
  try {
    await Promise.race([promise, over])
  } finally {
    timer?.cancel()
  }
}
