import { setTimeout } from 'node:timers/promises'
import type { RedisServer } from '../support/redis-server.js'
import type { SeededRandom } from '../support/seeded-random.js'
import { type Worker, WorkerGone } from './fleet.js'
import type { Hazards } from './hazards.js'
import type { RaceServers } from './servers.js'
import type { TopologyFault } from './topology-fault.js'
import type { LineKind, Network } from './network.js'
import type { Ways } from './ways.js'

/** Longer than a command is waited for: what was sent arrives after its caller has given it up. */
const HELD_MS = 700
const PAUSE_MS = 200
/** What was held is delivered and carried out within this. */
const DELIVERY_MS = 150
/** What a line that is slow adds to each packet, and for how long. */
const SLOW_MS = 300
const SLOW_FOR_MS = 3_000
/** Longer than any `staleness` of the race. */
const DEAF_MS = 2_500
/** How long the server has no room. */
const FULL_MS = 150

/**
 * What befalls the fleet while it races: one fault after the other, in a circle, each on the next process where it is about one. Beside
 * them, one at a time, those of the topology.
 */
export class Faults {
  readonly counts: Record<string, number> = {}
  /** How many of the topology's have come to their end. */
  ofTopologyDone = 0
  private readonly under = new Set<Promise<void>>()
  private next = 0
  private nextOfTopology = 0
  private ofTopology: Promise<void> | undefined
  private failure: Error | undefined

  /**
   * @param servers the cache's
   * @param topologyFaults theirs
   * @param worker a process of the fleet, undefined while it is being started again
   * @param ways of each process to the cache's servers
   */
  constructor(
    private readonly servers: RaceServers,
    private readonly topologyFaults: readonly TopologyFault[],
    private readonly hazards: Hazards,
    private readonly worker: (number: number) => Worker | undefined,
    private readonly ways: readonly Ways[],
    private readonly random: SeededRandom,
    private readonly times: FaultTimes,
  ) {}

  /** The next one, of those that befall every topology. */
  async inject(): Promise<void> {
    const { faults, stoppedMs, blockedMs } = this.times
    const round = Math.floor(this.next / faults.length)
    const name = faults[this.next++ % faults.length]!
    const worker = this.worker(round)
    let isDone = true
    switch (name) {
      case 'tracking connection cut':
        isDone = this.on('tracking', (network) => network.cut('tracking'))
        break
      case 'tracking connection half-open':
        isDone = this.on('tracking', (network) => network.lose('tracking'))
        break
      case 'tracking connection deaf':
        isDone = this.on('tracking', (network) => network.lose('tracking', true))
        break
      case 'tracking connection held for 2.5 s':
        isDone = this.on('tracking', (network) => network.holdFor(DEAF_MS, 'tracking'))
        break
      case 'tracking connection slow':
        isDone = this.on('tracking', (network) => network.slow('tracking', SLOW_MS, SLOW_FOR_MS))
        break
      case 'data connection slow':
        isDone = this.on('data', (network) => network.slow('data', SLOW_MS, SLOW_FOR_MS))
        if (isDone) await this.late(SLOW_FOR_MS + SLOW_MS, () => undefined)
        break
      case 'data connection half-open':
        isDone = this.on('data', (network) => network.lose('data'))
        break
      case 'event loop blocked':
        isDone = this.block(this.worker(round + 2), blockedMs)
        break
      case 'FLUSHALL':
        await this.hazards.during(() => this.onMasters('FLUSHALL'))
        break
      case 'eviction':
        await this.hazards.takingEntries(() => this.evict())
        break
      case 'SIGKILL of a loading process':
        // It ends itself at the start of its next load: at no other place can that be known for certain.
        await worker?.ask('die', { place: 'load' }).catch(() => undefined)
        break
      case 'SIGKILL of a holding process':
        await this.worker(round + 3)
          ?.ask('die', { place: 'hold' })
          .catch(() => undefined)
        break
      case 'SIGKILL':
        this.worker(round + 1)?.signal('SIGKILL')
        break
      case 'SIGSTOP past the lease':
        isDone = this.stopFor(this.worker(round + 2), stoppedMs)
        break
      case 'network held for 700 ms':
        await this.late(HELD_MS, () => this.way(round + 1).holdFor(HELD_MS))
        break
      case 'network cut':
        this.way(round + 2).cut()
        break
      case 'network held, then cut':
        await this.late(HELD_MS / 2, () => {
          this.way(round + 3).holdFor(HELD_MS / 2)
          this.way(round + 3).cut()
        })
        break
      case 'CLIENT KILL of data connections':
        await this.onMasters('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        break
      case 'CLIENT KILL of tracking sessions':
        await this.onMasters('CLIENT', 'KILL', 'TYPE', 'pubsub')
        break
      case 'SCRIPT FLUSH':
        await this.onMasters('SCRIPT', 'FLUSH')
        break
      case 'DEL of the tag clock':
        // The masters of a Cluster that have it not refuse.
        await this.hazards.during(() => this.onMasters('DEL', 'vextrus@tags'))
        break
      case 'CLIENT PAUSE 200 ms':
        await this.late(PAUSE_MS, () => this.onMasters('CLIENT', 'PAUSE', PAUSE_MS))
        break
    }
    if (isDone) this.count(name)
    // Nobody was there to be hit: it is tried again.
    else this.next--
  }

  /** Each had its turn. */
  get hadAll(): boolean {
    return this.times.faults.every((name) => this.counts[name] !== undefined)
  }

  /** The next one of the topology, if none is under way. It goes on by itself; that it failed is told by {@link check}. */
  injectOfTopology(): void {
    const { topologyFaults } = this
    if (this.ofTopology !== undefined || topologyFaults.length === 0) return
    const fault = topologyFaults[this.nextOfTopology++ % topologyFaults.length]!
    const run = fault.losesHolds ? () => this.hazards.during(() => fault.run()) : () => fault.run()
    this.ofTopology = run()
      .then(() => {
        this.count(fault.name)
        this.ofTopologyDone++
      })
      .catch((cause: unknown) => {
        this.failure = new Error(`${fault.name} did not come to its end`, { cause })
      })
      .finally(() => (this.ofTopology = undefined))
  }

  /** @throws what made a fault of the topology fail: the rig's own error */
  check(): void {
    if (this.failure !== undefined) throw this.failure
  }

  /** When none is under way any more. */
  async over(): Promise<void> {
    await Promise.all([...this.under, this.ofTopology])
  }

  private way(number: number): Ways {
    return this.ways[number % this.ways.length]!
  }

  private count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  /** A master that is away, or is none any more, has enough to bear. */
  private async onMasters(name: string, ...args: (string | number)[]): Promise<void> {
    const masters = await this.servers.masters()
    await Promise.all(masters.map((server: RedisServer) => server.command(name, ...args).catch(() => undefined)))
  }

  /** On one of the ways of some process, or on all: then it is of no use that the others are quick. False: none has such a connection now. */
  private on(kind: LineKind, what: (network: Network) => void): boolean {
    const able = this.ways.map((ways) => ways.with(kind)).filter((networks) => networks.length > 0)
    if (able.length === 0) return false
    const networks = this.random.pick(able)
    for (const network of this.random.float() < 0.5 ? networks : [this.random.pick(networks)]) what(network)
    return true
  }

  /** The server makes room: entries and leases go, long before their time, and it refuses what needs room. The clock stays: it has no TTL. */
  private async evict(): Promise<void> {
    const masters = await this.servers.masters()
    // One that is killed meanwhile forgets it anyway.
    const set = (...settings: string[]): Promise<unknown> =>
      Promise.all(masters.map((server) => server.command('CONFIG', 'SET', ...settings).catch(() => undefined)))
    await set('maxmemory-policy', 'volatile-random', 'maxmemory', '1mb')
    await setTimeout(FULL_MS)
    await set('maxmemory', '0', 'maxmemory-policy', 'noeviction')
  }

  private stopFor(worker: Worker | undefined, ms: number): boolean {
    if (worker === undefined) return false
    worker.signal('SIGSTOP')
    this.goesOn(setTimeout(ms).then(() => worker.signal('SIGCONT')))
    return true
  }

  private block(worker: Worker | undefined, ms: number): boolean {
    if (worker === undefined) return false
    const seed = Math.floor(this.random.float() * 2 ** 32)
    const blocked = worker.ask('block', { ms, seed }).catch((error: unknown) => {
      if (!(error instanceof WorkerGone)) throw error
    })
    this.goesOn(
      blocked.then(
        () => undefined,
        (cause: unknown) => {
          this.failure = new Error('the event loop was not blocked', { cause })
        },
      ),
    )
    return true
  }

  /** What was sent is carried out late, also for those who have given it up or were killed. Resolves when it has begun. */
  private late(ms: number, fault: () => void | Promise<void>): Promise<void> {
    return new Promise((begun, failed) => {
      const lasting = this.hazards.takingEntries(async () => {
        await fault()
        begun()
        await setTimeout(ms + DELIVERY_MS)
      })
      this.goesOn(lasting.catch(failed))
    })
  }

  private goesOn(fault: Promise<void>): void {
    this.under.add(fault)
    void fault.finally(() => this.under.delete(fault))
  }
}

/** Which faults there are, in the order in which they come, and how long those last that are about time. */
export interface FaultTimes {
  readonly faults: readonly Fault[]
  /** Longer than a lease lives, and than any `staleness`: what a stopped process wakes up with is no longer true. */
  readonly stoppedMs: number
  readonly blockedMs: number
}

/** Those that only a process's memory can be wrong about. */
export const NEAR_FAULTS = [
  'tracking connection half-open',
  'event loop blocked',
  'tracking connection slow',
  'CLIENT KILL of tracking sessions',
  'tracking connection deaf',
  'FLUSHALL',
  'data connection slow',
  'tracking connection cut',
  'SIGSTOP past the lease',
  'eviction',
  'tracking connection held for 2.5 s',
  'data connection half-open',
] as const

/** The others. */
const COMMON_FAULTS = [
  'CLIENT KILL of data connections',
  'DEL of the tag clock',
  'network held for 700 ms',
  'SIGKILL of a loading process',
  'SCRIPT FLUSH',
  'network cut',
  'SIGKILL of a holding process',
  'CLIENT PAUSE 200 ms',
  'network held, then cut',
  'SIGKILL',
] as const

export type Fault = (typeof NEAR_FAULTS)[number] | (typeof COMMON_FAULTS)[number]

/** All of them, by turns of one sort and the other. */
export const FAULTS: readonly Fault[] = NEAR_FAULTS.flatMap((fault, i) => [fault, ...COMMON_FAULTS.slice(i, i + 1)])
