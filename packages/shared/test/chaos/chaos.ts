import { setTimeout } from 'node:timers/promises'
import type { Counts, Violation } from '../rig/fleet.js'
import { Promotions } from '../rig/promotions.js'
import { sum } from '../rig/report.js'
import { type RaceServers, type RaceTopology, startServers } from '../rig/servers.js'
import { Ways } from '../rig/ways.js'
import { SeededRandom } from '../support/seeded-random.js'
import { ChaosDatabase } from './database.js'
import { CHAOS_FAULTS, type ChaosFault, ChaosFaults } from './faults.js'
import { type Figures, figures, judge, type Wrong } from './judge.js'
import { allKeys, chaosKeys, OPERATIONS, type Operation } from './keys.js'
import { Lane } from './lane.js'

export interface ChaosOptions {
  /** A real server. */
  readonly postgres: string
  readonly seed: number
  /** Ends when there are so many invoice numbers, so many deductions from stock and so many postings, and each fault has had its turn. */
  readonly numbers: number
  /** @default 'standalone' */
  readonly topology?: RaceTopology
  /** Ends after this many seconds. @default no limit */
  readonly seconds?: number
  /** Doesn't end before so many faults of the topology have come to their end. @default 0 */
  readonly topologyFaults?: number
  /** In the order in which they come; none: nor those of the topology. @default all */
  readonly faults?: readonly ChaosFault[]
  /** A fault after so many writes, so that a slow machine has as many of them. @default 60 */
  readonly faultEvery?: number
  /** @default 6 */
  readonly processes?: number
  /** Concurrent users of each process. @default 6 */
  readonly clerks?: number
  /** False: the database does not look at fences. @default true */
  readonly fenced?: boolean
  /** Where the compiled toolkit is. @default its `dist/` */
  readonly dist?: string | undefined
  /** Ends when something is wrong: it is looked for whether anything is. @default false */
  readonly untilWrong?: boolean
  /** Told what there is so far, every ten seconds. */
  readonly progress?: (line: string) => void
}

export interface ChaosReport extends Figures {
  readonly topology: RaceTopology
  readonly seed: number
  readonly seconds: number
  /** Of all processes, those that were killed included: up to 200 ms of each of those are missing. */
  readonly counts: Counts
  readonly faults: Counts
  /** By the database, and by what processes saw. */
  readonly wrong: readonly Wrong[]
  readonly keysWithoutTtl: readonly string[]
}

const LOOK_MS = 50
const PROGRESS_MS = 10_000
const JUDGE_MS = 1_000
/** The topology's faults by writes too. */
const TOPOLOGY_FAULT_EVERY = 4

/**
 * The chaos: processes that take locks on one Redis and write under them to one Postgres, while all kinds of things befall them and the servers;
 * and at the end a judge who looks at the database alone (judge.ts).
 */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const { topology = 'standalone', processes = 6, clerks = 6, seed } = options
  const servers = await startServers(topology)
  const keys = chaosKeys(processes * clerks, topology !== 'standalone')
  const database = await ChaosDatabase.create(options.postgres, keys)
  const ways = await Promise.all(
    Array.from({ length: processes }, (_, number) => Ways.to(servers.servers, seed + 1_000 * number)),
  )
  const run = new Run(options, servers, database, ways, keys)
  try {
    return await run.report()
  } finally {
    await run.end()
    await Promise.all(ways.map((each) => each.stop()))
    await Promise.all([servers.stop(), database.close()])
  }
}

class Run {
  private readonly started = performance.now()
  private readonly lanes: Lane[]
  private readonly faults: ChaosFaults
  private readonly seen: Wrong[] = []
  private wanted: readonly Operation[] = OPERATIONS

  constructor(
    private readonly options: ChaosOptions,
    private readonly servers: RaceServers,
    private readonly database: ChaosDatabase,
    ways: readonly Ways[],
    private readonly keys: ReturnType<typeof chaosKeys>,
  ) {
    const { seed, clerks = 6, fenced = true, dist, faults = CHAOS_FAULTS } = options
    const random = new SeededRandom(seed)
    this.lanes = ways.map((own, number) => {
      const process = { redis: servers.optionsFor(own), databaseUrl: database.url, fenced, dist }
      return new Lane(
        number,
        process,
        { clerks, seed, keys },
        {
          violation: (violation) => this.violated(violation),
          stopping: (worker, where) => this.faults.stopping(worker, where),
        },
      )
    })
    const promotions = new Promotions(async () => undefined)
    const hotKeys = allKeys(keys).map(({ key }) => `vextrus@lock:{${key}}:mutex`)
    const ofTopology = servers.faults(promotions, random, hotKeys)
    const surroundings = [this.database, this.lanes, ways, allKeys(keys), new SeededRandom(seed + 1)] as const
    this.faults = new ChaosFaults(servers, ofTopology, ...surroundings, faults)
  }

  async report(): Promise<ChaosReport> {
    const { topology = 'standalone', seed, progress } = this.options
    await Promise.all(this.lanes.map((lane) => lane.start()))
    const telling = progress && setInterval(() => progress(this.line()), PROGRESS_MS)
    try {
      this.want(OPERATIONS)
      await Promise.all([this.watch(), ...this.lanes.map((lane) => lane.run())])
    } finally {
      clearInterval(telling)
      this.want([])
      await this.faults.over()
    }
    this.faults.check()
    const stuck = await this.lanes[0]!.stuck(allKeys(this.keys))
    const masters = await this.servers.masters()
    const keysWithoutTtl = await Promise.all(masters.map((server) => server.scanKeysWithoutTtl([])))
    return {
      ...(await figures(this.database, new Map(allKeys(this.keys).map(({ key, replicas }) => [key, replicas])))),
      topology,
      seed,
      seconds: (performance.now() - this.started) / 1_000,
      counts: this.counts,
      faults: this.faults.counts,
      wrong: [
        ...this.seen,
        ...stuck.map((key) => ({ rule: 'at the end every lock is to be had', details: key })),
        ...(await judge(this.database, topology !== 'standalone')),
      ],
      keysWithoutTtl: keysWithoutTtl.flat(),
    }
  }

  async end(): Promise<void> {
    this.want([])
    await Promise.all(this.lanes.map((lane) => lane.end()))
  }

  private get counts(): Counts {
    return sum(this.lanes.flatMap((lane) => lane.counts))
  }

  /** Lets them work until there is enough of everything, with the faults that are due. */
  private async watch(): Promise<void> {
    const { numbers, seconds = Infinity, faults = CHAOS_FAULTS, faultEvery = 60 } = this.options
    const { topologyFaults = 0, untilWrong = false } = this.options
    const until = performance.now() + seconds * 1_000
    let [due, dueOfTopology, judged] = [faultEvery, faultEvery, performance.now()]
    try {
      while (performance.now() < until) {
        const { counts } = this
        const of = (what: string): number => counts[what] ?? 0
        const done = { numbers: of('numbers'), stock: of('deductions'), postings: of('postings') }
        const lacksFaults = !this.faults.hadAll || this.faults.ofTopologyDone < topologyFaults
        // With all that is left to suffer they go on with everything.
        const wanted = OPERATIONS.filter((operation) => lacksFaults || done[operation] < numbers)
        if (wanted.length === 0) return
        if (wanted.length !== this.wanted.length) this.want(wanted)
        const writes = done.numbers + done.stock + of('deliveries') + done.postings / 2
        if (faults.length > 0 && writes >= due) {
          due = writes + faultEvery
          await this.faults.inject()
        }
        if (faults.length > 0 && writes >= dueOfTopology) {
          dueOfTopology = writes + TOPOLOGY_FAULT_EVERY * faultEvery
          this.faults.injectOfTopology()
        }
        this.faults.check()
        if (untilWrong && performance.now() > judged + JUDGE_MS) {
          if (this.seen.length > 0 || (await this.isWrong())) return
          judged = performance.now()
        }
        await setTimeout(LOOK_MS)
      }
    } finally {
      this.want([])
    }
  }

  private async isWrong(): Promise<boolean> {
    return (
      (await judge(this.database, this.options.topology !== undefined && this.options.topology !== 'standalone'))
        .length > 0
    )
  }

  private want(operations: readonly Operation[]): void {
    this.wanted = operations
    for (const lane of this.lanes) lane.want(operations)
  }

  private violated({ operation, ...details }: Violation): void {
    if (this.seen.length < MOST_SEEN) this.seen.push({ rule: operation, details })
  }

  private line(): string {
    const { counts } = this
    const of = (what: string): number => counts[what] ?? 0
    const faults = Object.values(this.faults.counts).reduce((total, count) => total + count, 0)
    return `${((performance.now() - this.started) / 1_000).toFixed(0)} s: ${of('numbers')} numbers, ${of('deductions')} deductions, ${of('postings')} postings; ${faults} faults, ${of('refused')} stale writes refused`
  }
}

const MOST_SEEN = 20
