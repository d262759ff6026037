import type { Clock } from '../kernel/clock.js'

/**
 * Whoever changes the same thing in this process waits for the one before, instead of being told by the store again and again that another was
 * faster. A turn is a courtesy and no lock: work that takes longer than {@link LONGEST_TURN_MS} goes on, but keeps nobody waiting any more.
 */
export class Turns {
  private readonly last = new Map<string, Promise<void>>()

  constructor(private readonly clock: Clock) {}

  /** Runs `work` after those of the same name that came before it, in their order. */
  async take<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.last.get(name)
    let pass!: () => void
    const mine = new Promise<void>((resolve) => (pass = resolve))
    this.last.set(name, mine)
    await before
    const timer = this.clock.timer(LONGEST_TURN_MS, () => this.end(name, mine, pass))
    try {
      return await work()
    } finally {
      timer.cancel()
      this.end(name, mine, pass)
    }
  }

  /** Names of which somebody has the turn, or waits for it. */
  get size(): number {
    return this.last.size
  }

  private end(name: string, turn: Promise<void>, pass: () => void): void {
    if (this.last.get(name) === turn) this.last.delete(name)
    pass()
  }
}

/** Longer than a change that reads and writes a database takes. */
const LONGEST_TURN_MS = 1_000
