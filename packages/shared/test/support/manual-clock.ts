import type { Clock, Timer } from '../../src/kernel/clock.js'

/** A clock that a test advances by hand. Both readings begin at 1,000,000. */
export class ManualClock implements Clock {
  private now = 1_000_000
  private readonly pending = new Set<{ readonly at: number; readonly fn: () => void }>()

  mono(): number {
    return this.now
  }

  wall(): number {
    return this.now
  }

  timer(ms: number, fn: () => void): Timer {
    const entry = { at: this.now + ms, fn }
    this.pending.add(entry)
    return { cancel: () => this.pending.delete(entry) }
  }

  /** Timers that have neither fired nor been cancelled. */
  get timers(): number {
    return this.pending.size
  }

  /** Lets `ms` pass: fires what falls due, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms
    await settled()
    for (;;) {
      const [next] = [...this.pending].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.now = Math.max(this.now, next.at)
      this.pending.delete(next)
      next.fn()
      await settled()
    }
    this.now = end
  }

  /** Time passes and nothing of this process runs: what fell due fires at the next {@link advance}. */
  jump(ms: number): void {
    this.now += ms
  }
}

/** Every promise that can settle without time or I/O has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
