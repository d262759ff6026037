/**
 * At most so many at a time; the others wait their turn, first come, first served.
 *
 * A slot that becomes free is handed to the first in the queue and never shown as free in between, so nobody overtakes. Work that asks the
 * limit it runs under for another slot, and waits for it, may wait for itself: such work must go past the limit.
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

  /** Calls `work` when there is a slot: at once, before this returns, if there is one now. The slot is free again when `work` has settled. */
  async run<T>(work: () => T | PromiseLike<T>): Promise<T> {
    if (this.running < this.limit) this.running++
    else await new Promise<void>((resolve) => this.enqueue(resolve))
    try {
      return await work()
    } finally {
      this.leave()
    }
  }

  /** A linked list: taking the head of a long array moves all the others. */
  private enqueue(start: () => void): void {
    const waiting: Waiting = { start, next: null }
    if (this.last === null) this.first = waiting
    else this.last.next = waiting
    this.last = waiting
  }

  private leave(): void {
    const next = this.first
    if (next === null) {
      this.running--
      return
    }
    this.first = next.next
    if (this.first === null) this.last = null
    next.start()
  }
}

interface Waiting {
  readonly start: () => void
  next: Waiting | null
}
