import type { Clock, Timer } from '../kernel/clock.js'
import { type Duration, durationToMs } from '../kernel/duration.js'
import { settle } from './settle.js'

/**
 * A clock that moves only when a test says so.
 *
 * @example
 * ```ts
 * const clock = new FakeClock()
 * const app = await Test.createTestingModule({ imports: [RedisCacheTestingModule.forRoot({ clock }), …] }).compile()
 * await clock.advance('5m') // entries of five minutes are gone now
 * ```
 */
export class FakeClock implements Clock {
  private nowMs = 0
  private readonly startMs: number
  private timers: Pending[] = []

  /** @param start what {@link wall} begins with. @default 2030-01-01T00:00:00Z */
  constructor(start: Date | number = Date.UTC(2030, 0, 1)) {
    this.startMs = Number(start)
  }

  mono(): number {
    return this.nowMs
  }

  wall(): number {
    return this.startMs + this.nowMs
  }

  timer(ms: number, fn: () => void): Timer {
    const pending: Pending = { atMs: this.nowMs + Math.max(0, ms), fn }
    this.timers.push(pending)
    return { cancel: () => this.forget(pending) }
  }

  /** Timers that have not fired yet. */
  get pendingTimers(): number {
    return this.timers.length
  }

  /**
   * Moves the time on, firing on the way, in order, each timer that comes due, also those that others set. Before each step what is under
   * way comes to rest, so a call that was started and not awaited has set its timers.
   * @param duration milliseconds, or a string such as `'5m'`
   * @throws InvalidDurationError zero, negative, unreadable
   */
  async advance(duration: Duration): Promise<void> {
    const endMs = this.nowMs + durationToMs(duration, 'duration')
    await this.settle()
    for (let next = this.nextUntil(endMs); next !== undefined; next = this.nextUntil(endMs)) {
      this.nowMs = Math.max(this.nowMs, next.atMs)
      this.forget(next)
      next.fn()
      await this.settle()
    }
    this.nowMs = endMs
    await this.settle()
  }

  /** Lets what is under way come to rest without moving the time. */
  settle(): Promise<void> {
    return settle()
  }

  /** The earliest one; of those of one moment the one that was set first. */
  private nextUntil(endMs: number): Pending | undefined {
    let next: Pending | undefined
    for (const each of this.timers) {
      if (each.atMs <= endMs && (next === undefined || each.atMs < next.atMs)) next = each
    }
    return next
  }

  private forget(pending: Pending): void {
    this.timers = this.timers.filter((each) => each !== pending)
  }
}

interface Pending {
  readonly atMs: number
  readonly fn: () => void
}
