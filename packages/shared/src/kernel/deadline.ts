import type { Clock } from './clock.js'

/** Timers of Node hold 31 bits; a longer delay fires at once. Nothing that is waited for lasts 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The outcome of `promise`, or after `ms` milliseconds a rejection with the error that `onTimeout` makes. The promise itself goes on: what it
 * does later is ignored, and a late rejection is not an unhandled one. The timer ends with the outcome.
 */
export function withDeadline<T>(promise: PromiseLike<T>, ms: number, clock: Clock, onTimeout: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.timer(Math.min(ms, LONGEST_TIMER_MS), () => reject(onTimeout()))
    promise.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
