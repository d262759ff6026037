import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  compiled,
  type Counts,
  startProgram,
  type Stop,
  type Violation,
  type Worker,
  WorkerGone,
} from '../rig/fleet.js'
import type { ChaosKey, ChaosKeys, Operation } from './keys.js'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), 'worker.mjs')
/** Starts that may fail in a run, one after the other: beyond it something is wrong. */
const MOST_FAILED_STARTS = 50

/** What a process of the chaos is started with. */
export interface ProcessOptions {
  /** Of a `RedisConnection`. */
  readonly redis: Readonly<Record<string, unknown>>
  readonly databaseUrl: string
  /** False: the database does not look at fences. */
  readonly fenced: boolean
  /** Where the compiled toolkit is. @default its `dist/` */
  readonly dist?: string | undefined
}

export interface Work {
  readonly clerks: number
  readonly seed: number
  readonly keys: ChaosKeys
}

/** What a process is made to do to itself at a place of places.mjs. */
export interface Deed {
  readonly what: 'kill' | 'stop'
  readonly place: 'waiting' | 'holding' | 'write' | 'commit' | 'release'
}

/** One process and its successors: whenever it is killed, another one takes its place. */
export class Lane {
  worker: Worker | undefined
  /** The last counts of each of them. */
  readonly counts: Counts[] = []
  private generation = 0
  private wanted: readonly Operation[] = []
  private failures = 0

  constructor(
    private readonly number: number,
    private readonly options: ProcessOptions,
    private readonly work: Work,
    private readonly events: {
      violation(violation: Violation): void
      stopping(worker: Worker, where: Stop): void
    },
  ) {}

  async start(): Promise<void> {
    const generation = this.generation++
    const name = `process ${this.number}.${generation}`
    const { dist, ...options } = this.options
    const started = await startProgram(
      PROGRAM,
      { ...options, toolkit: new URL('..', compiled('lock/index.js', dist)).href, name },
      {
        violation: (violation) => this.events.violation({ ...violation, actor: violation.actor ?? name }),
        counts: (counts) => (this.counts[generation] = counts),
        stopping: (where) => this.events.stopping(started, where),
      },
    )
    this.worker = started
  }

  /** Until nothing is wanted any more. */
  async run(): Promise<void> {
    while (this.wanted.length > 0) {
      try {
        await this.alive()
        const path = [this.number, this.generation]
        await this.worker!.ask('work', { ...this.work, path, operations: this.wanted })
      } catch (error) {
        if (!(error instanceof WorkerGone)) throw error
        this.worker = undefined
      }
    }
  }

  want(operations: readonly Operation[]): void {
    this.wanted = operations
    this.worker?.ask('want', { operations }).catch(ifGone)
  }

  /** False: there is nobody. */
  arm(deed: Deed): boolean {
    if (this.worker === undefined || this.worker.dead) return false
    this.worker.ask('arm', deed).catch(ifGone)
    return true
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

  /** Which of these nobody gets any more. */
  async stuck(keys: readonly ChaosKey[]): Promise<string[]> {
    await this.alive()
    return this.worker!.ask('rest', { keys })
  }

  async end(): Promise<void> {
    await this.worker?.close()
  }
}

function ifGone(error: unknown): void {
  if (!(error instanceof WorkerGone)) throw error
}
