import { setTimeout } from 'node:timers/promises'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { Faults } from './faults.js'
import { type Counts, startWorker, type Violation, type Worker, WorkerGone, type WorkerOptions } from './fleet.js'
import { Network } from './network.js'

export interface RaceOptions {
  readonly seed: number
  readonly mode: 'vextrus' | 'naive'
  /** Ends when the whole fleet has had this many rounds. @default no limit */
  readonly rounds?: number
  /** Ends after this many seconds. @default no limit */
  readonly seconds?: number
  readonly faults?: boolean
  /** @default 4 */
  readonly processes?: number
  /** Concurrent users in each process. @default 16 */
  readonly actors?: number
  /** Told what there is so far, every `progressMs`. */
  readonly progress?: (report: RaceReport) => void
  /** @default 10_000 */
  readonly progressMs?: number
}

export interface RaceReport {
  readonly seed: number
  readonly seconds: number
  /** Of all processes, those that were killed included. */
  readonly counts: Counts
  /** The first of them; `counts.violations` counts all. */
  readonly violations: readonly Violation[]
  readonly faults: Counts
  /** Keys of the cache's server that never expire, but for the tag clock. */
  readonly keysWithoutTtl: readonly string[]
}

/** A fault every so many rounds, so that a slow machine has as many of them. */
const FAULT_EVERY_ROUNDS = 220
const LOOK_MS = 50
const MOST_SHOWN = 20

/**
 * The race: processes that read and write the same few keys through a cache each, on one Redis, over one database.
 *
 * At the end the fleet comes to rest, what killed writers left half-done is finished, and every process must answer what the database holds.
 */
export async function race(options: RaceOptions): Promise<RaceReport> {
  const cacheServer = await startRedis()
  const databaseServer = await startRedis()
  const { processes = 4, seed } = options
  const networks = await Promise.all(
    Array.from({ length: processes }, (_, number) =>
      Network.to(cacheServer.port, new SeededRandom(seed + 1_000 * number)),
    ),
  )
  const run = new Run(options, cacheServer, databaseServer, networks)
  try {
    return await run.report()
  } finally {
    await run.end()
    await Promise.all(networks.map((network) => network.stop()))
    await Promise.all([cacheServer.stop(), databaseServer.stop()])
  }
}

class Run {
  private readonly started = performance.now()
  private readonly lanes: Lane[]
  private readonly violations: Violation[] = []
  private readonly faults: Faults
  private stopped = false

  constructor(
    private readonly options: RaceOptions,
    private readonly cacheServer: RedisServer,
    databaseServer: RedisServer,
    networks: readonly Network[],
  ) {
    const { actors = 16, seed, mode } = options
    const lanes = networks.length
    this.lanes = networks.map(({ port }, number) => {
      const worker = { mode, redis: { port }, databasePort: databaseServer.port }
      return new Lane(number, worker, { actors, seed }, (violation) => {
        if (this.violations.length < MOST_SHOWN) this.violations.push(violation)
      })
    })
    this.faults = new Faults(
      cacheServer,
      (number) => this.lanes[number % lanes]!.worker,
      (number) => networks[number % lanes]!,
    )
  }

  async report(): Promise<RaceReport> {
    const { progress, progressMs = 10_000 } = this.options
    await Promise.all(this.lanes.map((lane) => lane.start()))
    const telling = progress === undefined ? undefined : setInterval(() => progress(this.soFar([])), progressMs)
    try {
      await Promise.all([this.watch(), ...this.lanes.map((lane) => lane.run())])
    } finally {
      clearInterval(telling)
      this.stop()
      await this.faults.over()
    }
    await this.rest()
    return this.soFar(await this.cacheServer.scanKeysWithoutTtl(['vextrus@tags']))
  }

  async end(): Promise<void> {
    this.stop()
    await Promise.all(this.lanes.map((lane) => lane.end()))
  }

  private get rounds(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.rounds, 0)
  }

  /** Lets the fleet run until it has had its rounds or its time, with the faults that are due. */
  private async watch(): Promise<void> {
    const { rounds = Infinity, seconds = Infinity, faults = false } = this.options
    const until = performance.now() + seconds * 1_000
    let due = faults ? FAULT_EVERY_ROUNDS : Infinity
    while (!this.stopped && this.rounds < rounds && performance.now() < until) {
      if (this.rounds >= due) {
        await this.faults.inject()
        due += FAULT_EVERY_ROUNDS
      }
      await setTimeout(LOOK_MS)
    }
    this.stop()
  }

  private stop(): void {
    this.stopped = true
    for (const lane of this.lanes) lane.stop()
  }

  private async rest(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.alive()))
    await this.lanes[0]!.worker!.ask('settle')
    await Promise.all(this.lanes.map((lane) => lane.worker!.ask('verify')))
  }

  private soFar(keysWithoutTtl: readonly string[]): RaceReport {
    return {
      seed: this.options.seed,
      seconds: (performance.now() - this.started) / 1_000,
      counts: sum(this.lanes.flatMap((lane) => lane.counts)),
      violations: this.violations,
      faults: this.faults.counts,
      keysWithoutTtl,
    }
  }
}

/** One process of the fleet and its successors: whenever it is killed, another one takes its place. */
class Lane {
  worker: Worker | undefined
  /** The last counts of each of them. */
  readonly counts: Counts[] = []
  private generation = 0
  private stopped = false
  private failures = 0
  private diedAt = 0

  constructor(
    private readonly number: number,
    private readonly options: Omit<WorkerOptions, 'name'>,
    private readonly work: { readonly actors: number; readonly seed: number },
    private readonly onViolation: (violation: Violation) => void,
  ) {}

  async start(): Promise<void> {
    const generation = this.generation++
    const name = `process ${this.number}.${generation}`
    const worker = await startWorker(
      { ...this.options, name },
      { violation: this.onViolation, counts: (counts) => (this.counts[generation] = counts) },
    )
    if (generation > 0) {
      // What its predecessor has sent may be on its way for a while: its locks must outlive that.
      await setTimeout(Math.max(0, this.diedAt + IN_FLIGHT_MS - performance.now()))
      await worker.ask('breakLocks', { owner: `process ${this.number}.${generation - 1}` })
    }
    this.worker = worker
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

/** Starts that may fail in a run, one after the other: beyond it something is wrong. */
const MOST_FAILED_STARTS = 50
const IN_FLIGHT_MS = 1_500

function ifGone(error: unknown): void {
  if (!(error instanceof WorkerGone)) throw error
}

function sum(list: readonly Counts[]): Counts {
  const total: Record<string, number> = {}
  for (const counts of list)
    for (const [what, count] of Object.entries(counts)) total[what] = (total[what] ?? 0) + count
  return total
}

/** One line a report. */
export function summary({ seed, seconds, counts, faults }: RaceReport): string {
  const of = (what: string): number => counts[what] ?? 0
  const stale = Object.keys(counts).reduce((sum, what) => sum + (what.startsWith('stale ') ? of(what) : 0), 0)
  const rate = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`
  const faultCount = Object.values(faults).reduce((total, count) => total + count, 0)
  return [
    `seed ${seed}: ${seconds.toFixed(1)} s`,
    `${of('rounds')} rounds, ${of('answers')} answers judged, ${of('loads')} loads, hits ${rate(of('hits'), of('hits') + of('misses'))}`,
    `stale ${stale} (${rate(stale, of('answers'))}), violations ${of('violations')}`,
    `refused ${of('refused')}, abandoned ${of('abandoned')}, load errors ${of('loadErrors')}, at rest ${of('atRest')}`,
    `faults ${faultCount}`,
  ].join('; ')
}
