import { setTimeout } from 'node:timers/promises'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { FAULTS, Faults, type FaultTimes } from './faults.js'
import type { Violation } from './fleet.js'
import { Hazards } from './hazards.js'
import { Lane } from './lane.js'
import { Promotions } from './promotions.js'
import { type RaceReport, sum } from './report.js'
import { type RaceServers, type RaceTopology, startServers } from './servers.js'
import { Ways } from './ways.js'

export interface RaceOptions {
  readonly seed: number
  readonly mode: 'vextrus' | 'naive'
  /** Where the compiled toolkit is. @default its `dist/` */
  readonly dist?: string | undefined
  /** @default 'standalone' */
  readonly topology?: RaceTopology
  /** Ends when the whole fleet has had this many rounds, and each fault its turn. @default no limit */
  readonly rounds?: number
  /** Ends after this many seconds. @default no limit */
  readonly seconds?: number
  /** @default none */
  readonly faults?: boolean | Partial<FaultTimes>
  /** Ends with the first violation: it is looked for whether there is any. @default false */
  readonly untilViolation?: boolean
  /** Between two faults: ms, or rounds of the fleet, so that a slow machine has as many of them. @default 220 rounds */
  readonly faultEvery?: { readonly ms: number } | { readonly rounds: number }
  /** Processes remember what they have read, each in its way (near.ts). False: none does, and every read is held to P1. @default true */
  readonly l1?: boolean
  /** Doesn't end by its rounds before so many faults of the topology have come to their end. @default 0 */
  readonly topologyFaults?: number
  /** @default 4 */
  readonly processes?: number
  /** Concurrent users in each process. @default 16 */
  readonly actors?: number
  /** Told what there is so far, every `progressMs`. */
  readonly progress?: (report: RaceReport) => void
  /** @default 10_000 */
  readonly progressMs?: number
}

/** A fault every so many rounds, so that a slow machine has as many of them. */
const FAULT_EVERY_ROUNDS = 220
const TOPOLOGY_FAULT_EVERY_ROUNDS = 300
/** By time: one of the topology's in place of so many. */
const TOPOLOGY_FAULT_EVERY = 5
const LOOK_MS = 50
const STOPPED_MS = 3_500
const BLOCKED_MS = 2_500
const MOST_SHOWN = 20
/** Kept until it is known which a failover excuses. */
const MOST_KEPT = 100_000

/**
 * The race: processes that read and write the same few keys through a cache each, on one Redis, in whichever topology, over one database.
 *
 * At the end the fleet comes to rest, what killed writers left half-done is finished, and every process must answer what the database holds.
 */
export async function race(options: RaceOptions): Promise<RaceReport> {
  const { processes = 4, seed, topology = 'standalone' } = options
  const cacheServers = await startServers(topology)
  const databaseServer = await startRedis()
  const ways = await Promise.all(
    Array.from({ length: processes }, (_, number) => Ways.to(cacheServers.servers, seed + 1_000 * number)),
  )
  const run = new Run(options, cacheServers, databaseServer, ways)
  try {
    return await run.report()
  } finally {
    await run.end()
    await Promise.all(ways.map((each) => each.stop()))
    await Promise.all([cacheServers.stop(), databaseServer.stop()])
  }
}

class Run {
  private readonly started = performance.now()
  private violatedAt: number | undefined
  private readonly lanes: Lane[]
  /** Those that a failover may excuse among them. */
  private readonly violations: Violation[] = []
  private readonly promotions: Promotions
  private readonly faults: Faults
  private stopped = false

  constructor(
    private readonly options: RaceOptions,
    private readonly cacheServers: RaceServers,
    databaseServer: RedisServer,
    ways: readonly Ways[],
  ) {
    const { actors = 16, seed, mode, dist, l1 = mode === 'vextrus', faults } = options
    const random = new SeededRandom(seed)
    const lanes = ways.length
    this.lanes = ways.map((own, number) => {
      const worker = {
        mode,
        dist,
        redis: cacheServers.optionsFor(own),
        refused: cacheServers.refused,
        databasePort: databaseServer.port,
      }
      return new Lane(number, worker, { actors, seed, l1 }, (violation) => {
        this.violatedAt ??= performance.now()
        if (this.violations.length < MOST_KEPT) this.violations.push(violation)
      })
    })
    this.promotions = new Promotions((until) => databaseServer.command('HSET', 'acknowledged', '#demoting', until))
    this.faults = new Faults(
      cacheServers,
      cacheServers.faults(this.promotions, random),
      new Hazards(databaseServer),
      (number) => this.lanes[number % lanes]!.worker,
      ways,
      new SeededRandom(seed + 1),
      { faults: FAULTS, stoppedMs: STOPPED_MS, blockedMs: BLOCKED_MS, ...(typeof faults === 'object' ? faults : {}) },
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
    this.faults.check()
    await this.rest()
    const masters = await this.cacheServers.masters()
    const keys = await Promise.all(masters.map((server) => server.scanKeysWithoutTtl(['vextrus@tags'])))
    return this.soFar(keys.flat())
  }

  async end(): Promise<void> {
    this.stop()
    await Promise.all(this.lanes.map((lane) => lane.end()))
  }

  private get rounds(): number {
    return this.lanes.reduce((total, lane) => total + lane.rounds, 0)
  }

  /** Lets the fleet run until it has had its rounds or its time, with the faults that are due. */
  private async watch(): Promise<void> {
    const { rounds = Infinity, seconds = Infinity, faults = false, topologyFaults = 0 } = this.options
    const until = performance.now() + seconds * 1_000
    const pace = this.pace()
    const lacksFaults = (): boolean =>
      this.faults.ofTopologyDone < topologyFaults || (faults !== false && !this.faults.hadAll)
    const isFound = (): boolean => this.options.untilViolation === true && this.soFar([]).violationCount > 0
    const goesOn = (): boolean => (this.rounds < rounds || lacksFaults()) && !isFound()
    try {
      while (!this.stopped && goesOn() && performance.now() < until) {
        if (faults !== false && pace.isDue()) await this.faults.inject()
        if (faults !== false && pace.isDueOfTopology()) this.faults.injectOfTopology()
        this.faults.check()
        await setTimeout(LOOK_MS)
      }
    } finally {
      this.stop()
    }
  }

  /** When a fault is due, by rounds or by time; and one of the topology, unless the last one is still under way. */
  private pace(): { isDue(): boolean; isDueOfTopology(): boolean } {
    const { faultEvery = { rounds: FAULT_EVERY_ROUNDS } } = this.options
    const now = (): number => ('ms' in faultEvery ? performance.now() : this.rounds)
    const every = 'ms' in faultEvery ? faultEvery.ms : faultEvery.rounds
    const by = (step: number, first: number): (() => boolean) => {
      let due = now() + first
      return () => {
        if (now() < due) return false
        due += step
        return true
      }
    }
    const ofTopology = 'ms' in faultEvery ? TOPOLOGY_FAULT_EVERY * every : TOPOLOGY_FAULT_EVERY_ROUNDS
    return { isDue: by(every, every), isDueOfTopology: by(ofTopology, ofTopology / 3) }
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
    const excused: Record<string, number> = {}
    const violations = this.violations.filter((violation) => {
      const excuse = this.promotions.excuse(violation)
      if (excuse !== undefined) excused[excuse] = (excused[excuse] ?? 0) + 1
      return excuse === undefined
    })
    return {
      topology: this.options.topology ?? 'standalone',
      seed: this.options.seed,
      seconds: (performance.now() - this.started) / 1_000,
      counts: sum(this.lanes.flatMap((lane) => lane.counts)),
      violations: violations.slice(0, MOST_SHOWN).map((violation) => this.shown(violation)),
      violationCount: violations.length,
      foundAfterSeconds: this.violatedAt && (this.violatedAt - this.started) / 1_000,
      excused,
      faults: this.faults.counts,
      keysWithoutTtl,
    }
  }

  private shown(violation: Violation): Violation {
    if (!this.promotions.betweenTwoMasters(violation)) return violation
    return { ...violation, saw: `${violation.saw} (while two servers thought that they were master)` }
  }
}
