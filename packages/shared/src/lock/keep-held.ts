import type { Timer } from '../kernel/clock.js'
import { LockLostError, LockUnavailableError } from './errors.js'
import type { HeldLock } from './held-lock.js'

/**
 * Extends a lock at each third of its time, until it is lost or the way to stop is called. An extension that the store did not answer is tried
 * again sooner; that the time is over is the lock's own to know.
 */
export function keepHeld(lock: HeldLock): () => void {
  const { clock, ttlMs } = lock
  let timer: Timer | undefined
  let stopped = false

  const extend = async (): Promise<void> => {
    // Whoever extended it for longer meanwhile keeps that. Less than a millisecond is no time: a clock may not even be able to say it.
    if (untilDue() >= 1) return schedule(untilDue())
    try {
      await lock.extend(ttlMs)
    } catch (error) {
      if (error instanceof LockLostError) return
      if (!(error instanceof LockUnavailableError)) throw error
      return schedule(ttlMs / 12)
    }
    schedule(untilDue())
  }
  const untilDue = (): number => Math.max(0, lock.leftMs - (2 * ttlMs) / 3)
  const schedule = (ms: number): void => {
    timer?.cancel()
    if (!stopped) timer = clock.timer(ms, () => void extend())
  }
  schedule(untilDue())
  // Whoever extended it for less has that much at least, and the work goes on for as long as it takes.
  lock.shortened = () => schedule(untilDue())

  return () => {
    stopped = true
    lock.shortened = undefined
    timer?.cancel()
  }
}
