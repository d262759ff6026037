import type { Clock } from '../kernel/clock.js'
import type { PushSource } from './cache-store.js'

/** How long a waiter sleeps at most while pushes can be missed. */
const BLIND_LOOK_MS = 50

/**
 * Those in this process who wait for another process's load (R10).
 *
 * A wait is opened *before* the lease is asked for and latches a wake that comes before the answer; so nothing that happens to the key after
 * the question can be missed.
 */
export class Waiters {
  private readonly waits = new Map<string, Set<Wait>>()
  private readonly stop: () => void

  constructor(
    private readonly source: PushSource,
    private readonly clock: Clock,
  ) {
    const wake = (key: string): void => this.waits.get(key)?.forEach((wait) => wait.wake())
    this.stop = source.listen({ invalidate: wake, signalled: wake, reset: () => this.wakeAll() })
  }

  open(key: string): Wait {
    let same = this.waits.get(key)
    if (same === undefined) this.waits.set(key, (same = new Set()))
    const wait = new Wait(this.clock, this.source, () => {
      same.delete(wait)
      if (same.size === 0 && this.waits.get(key) === same) this.waits.delete(key)
    })
    same.add(wait)
    return wait
  }

  /** Stops listening and lets everybody go. */
  close(): void {
    this.stop()
    this.wakeAll()
  }

  private wakeAll(): void {
    for (const waits of this.waits.values()) waits.forEach((wait) => wait.wake())
  }
}

/** One open wait; close it, whatever came of it. */
class Wait {
  private woken = false
  private onWake: (() => void) | null = null

  constructor(
    private readonly clock: Clock,
    private readonly source: PushSource,
    readonly close: () => void,
  ) {}

  wake(): void {
    this.woken = true
    this.onWake?.()
  }

  /** Resolves at the first wake since the wait was opened, or after `ms`. Without live pushes it looks again much sooner. */
  atMost(ms: number): Promise<void> {
    if (this.woken) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.clock.timer(this.source.live ? ms : Math.min(ms, BLIND_LOOK_MS), resolve)
      this.onWake = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}
