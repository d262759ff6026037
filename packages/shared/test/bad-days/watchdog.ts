import { clearInterval, setInterval } from 'node:timers'

/** A process that gets no turn at all for longer is not waiting for an answer: the machine is busy. */
const GRAIN_MS = 25

/** An operation that has taken longer than it may, or has never ended. */
export interface Overdue {
  readonly operation: string
  readonly tookMs: number
  readonly limitMs: number
}

/**
 * Measures every operation against its limit. The time is that in which this process had turns of its event loop, so a machine that is busy
 * with something else lengthens none.
 */
export class Watchdog {
  readonly overdue: Overdue[] = []
  /** The longest of each operation, ms. */
  readonly slowest: Record<string, number> = {}
  private awakeMs = 0
  private last = performance.now()
  private readonly ticking: NodeJS.Timeout
  private readonly under = new Map<symbol, { readonly operation: string; readonly began: number }>()

  constructor() {
    this.ticking = setInterval(() => this.now(), GRAIN_MS / 5)
  }

  /** Runs an operation; whatever comes of it, its duration is looked at. */
  async time<T>(operation: string, limitMs: number, run: () => Promise<T>): Promise<T> {
    const id = Symbol(operation)
    const began = this.now()
    this.under.set(id, { operation, began })
    try {
      return await run()
    } finally {
      this.under.delete(id)
      const tookMs = this.now() - began
      this.slowest[operation] = Math.round(Math.max(tookMs, this.slowest[operation] ?? 0))
      if (tookMs > limitMs) this.overdue.push({ operation, tookMs: Math.round(tookMs), limitMs })
    }
  }

  /** Operations that have not ended, and for how long. */
  hanging(): string[] {
    const now = this.now()
    return [...this.under.values()].map(({ operation, began }) => `${operation} for ${Math.round(now - began)} ms`)
  }

  stop(): void {
    clearInterval(this.ticking)
  }

  private now(): number {
    const at = performance.now()
    this.awakeMs += Math.min(at - this.last, GRAIN_MS)
    this.last = at
    return this.awakeMs
  }
}
