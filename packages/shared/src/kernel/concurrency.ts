/**
 * At most so many at a time; the others wait their turn, first come, first served.
 *
 * A slot that becomes free is handed to the first in the queue and never shown as free in between, so nobody overtakes. Work that asks the
 * limit it runs under for another slot, and waits for it, may wait for itself: such work must go past the limit, and so must what is queued
 * already when work with a slot begins to wait for it.
 */
export class ConcurrencyLimit {
  private running = 0
  private first: Waiting | null = null
  private last: Waiting | null = null

  /** @param limit at least 1; `Infinity` is no limit */
  constructor(private readonly limit: number) {}

  /** How many are running. */
  get active(): number {
    return this.running
  }

  /**
   * Calls `work` when there is a slot: at once, before this returns, if there is one now. The slot is free again when `work` has settled.
   * @param onQueued told, where `work` has to wait, how to start it now, past the limit; no slot becomes free until so many have ended
   */
  async run<T>(work: () => T | PromiseLike<T>, onQueued?: (goPast: () => void) => void): Promise<T> {
    if (this.running < this.limit) this.running++
    else
      await new Promise<void>((resolve) => {
        const waiting = this.enqueue(resolve)
        onQueued?.(() => this.goPast(waiting))
      })
    try {
      return await work()
    } finally {
      this.leave()
    }
  }

  /** A linked list: taking the head of a long array moves all the others. */
  private enqueue(start: () => void): Waiting {
    const waiting: Waiting = { start, started: false, next: null }
    if (this.last === null) this.first = waiting
    else this.last.next = waiting
    this.last = waiting
    return waiting
  }

  private goPast(waiting: Waiting): void {
    if (waiting.started) return
    waiting.started = true
    this.running++
    waiting.start()
  }

  private leave(): void {
    const next = this.running > this.limit ? null : this.dequeue()
    if (next === null) {
      this.running--
      return
    }
    next.started = true
    next.start()
  }

  /** The first that has not gone past. */
  private dequeue(): Waiting | null {
    while (this.first !== null) {
      const { first } = this
      this.first = first.next
      if (this.first === null) this.last = null
      if (!first.started) return first
    }
    return null
  }
}

interface Waiting {
  readonly start: () => void
  started: boolean
  next: Waiting | null
}
