import { setTimeout } from 'node:timers/promises'
import { type Counts, startWorker, type Violation, type Worker, WorkerGone, type WorkerOptions } from './fleet.js'
import { type Sort, sortOf } from './near.js'
import type { Credentials } from './servers.js'

/** Starts that may fail in a run, one after the other: beyond it something is wrong. */
const MOST_FAILED_STARTS = 50
const IN_FLIGHT_MS = 1_500
const WITHOUT: Sort = { l1: false }

/** One process of the fleet and its successors: whenever it is killed, another one takes its place. */
export class Lane {
  worker: Worker | undefined
  /** The last counts of each of them. */
  readonly counts: Counts[] = []
  private generation = 0
  /** The first of them that may still hold locks. */
  private unbroken = 0
  private stopped = false
  private failures = 0
  private diedAt = 0

  constructor(
    private readonly number: number,
    private readonly options: Omit<WorkerOptions, 'name' | 'l1'> & { readonly refused?: Credentials | undefined },
    private readonly work: { readonly actors: number; readonly seed: number; readonly l1: boolean },
    private readonly onViolation: (violation: Violation) => void,
  ) {}

  async start(): Promise<void> {
    const generation = this.generation++
    const name = `process ${this.number}.${generation}`
    const { l1, isRefused = false } = this.work.l1 ? sortOf(this.number, generation) : WITHOUT
    const { refused, ...options } = this.options
    const redis = isRefused && refused !== undefined ? { ...options.redis, ...refused } : options.redis
    const worker = await startWorker(
      { ...options, redis, name, l1 },
      {
        violation: (violation) => this.onViolation({ ...this.explained(violation), l1, isRefused }),
        counts: (counts) => (this.counts[generation] = counts),
      },
    )
    if (generation > 0) {
      // What its predecessor has sent may be on its way for a while: its locks must outlive that.
      await setTimeout(Math.max(0, this.diedAt + IN_FLIGHT_MS - performance.now()))
      for (; this.unbroken < generation; this.unbroken++) {
        await worker.ask('breakLocks', { owner: `process ${this.number}.${this.unbroken}` })
      }
    }
    this.worker = worker
  }

  /** What is no stale read is about the process: with what it wrote to its console. */
  private explained(violation: Violation): Violation {
    return violation.key === undefined ? { ...violation, console: this.worker?.console ?? '' } : violation
  }

  get rounds(): number {
    return this.counts.reduce((sum, counts) => sum + (counts['rounds'] ?? 0), 0)
  }

  /** Until {@link stop}. */
  async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.alive()
        if (this.stopped) return
        await this.worker!.ask('race', { ...this.work, path: [this.number, this.generation] })
        return
      } catch (error) {
        if (!(error instanceof WorkerGone)) throw error
        this.worker = undefined
        this.diedAt = performance.now()
      }
    }
  }

  stop(): void {
    this.stopped = true
    this.worker?.ask('stop').catch(ifGone)
  }

  /** A process, started if the last one was killed. */
  async alive(): Promise<void> {
    while (this.worker === undefined || this.worker.dead) {
      try {
        await this.start()
      } catch (error) {
        // A fault may have hit it while it was starting.
        if (!(error instanceof WorkerGone) || ++this.failures > MOST_FAILED_STARTS) throw error
      }
    }
  }

  async end(): Promise<void> {
    await this.worker?.close()
  }
}

function ifGone(error: unknown): void {
  if (!(error instanceof WorkerGone)) throw error
}
