import { setTimeout } from 'node:timers/promises'
import type { Stop, Worker } from '../rig/fleet.js'
import type { LineKind, Network } from '../rig/network.js'
import type { RaceServers } from '../rig/servers.js'
import type { TopologyFault } from '../rig/topology-fault.js'
import type { Ways } from '../rig/ways.js'
import type { RedisServer } from '../support/redis-server.js'
import type { SeededRandom } from '../support/seeded-random.js'
import type { ChaosDatabase } from './database.js'
import type { ChaosKey } from './keys.js'
import type { Lane } from './lane.js'

/** Longer than a command is waited for: what was sent arrives after its caller has given it up. */
const HELD_MS = 700
/** Longer than most locks live without being extended, and than a command is waited for. */
const SERVER_PAUSED_MS = 700
/** Longer than any lock lives. */
const STOPPED_MS = 2_000
/** For so long a process that stopped itself waits for somebody to write after it. */
const OVERTAKEN_MS = 8_000
const LOOK_MS = 20

/**
 * What befalls the processes and the servers: one fault after the other, in a circle, each on the next process where it is about one; beside
 * them, one at a time, those of the topology.
 */
export class ChaosFaults {
  readonly counts: Record<string, number> = {}
  ofTopologyDone = 0
  private readonly under = new Set<Promise<void>>()
  private next = 0
  private nextOfTopology = 0
  private ofTopology: Promise<void> | undefined
  private failure: Error | undefined
  private ended = false

  constructor(
    private readonly servers: RaceServers,
    private readonly topologyFaults: readonly TopologyFault[],
    private readonly database: ChaosDatabase,
    private readonly lanes: readonly Lane[],
    private readonly ways: readonly Ways[],
    private readonly keys: readonly ChaosKey[],
    private readonly random: SeededRandom,
    private readonly list: readonly ChaosFault[],
  ) {}

  /** The next one, of those that befall every topology. */
  async inject(): Promise<void> {
    const { list } = this
    const name = list[this.next % list.length]!
    // Another one each time, and each fault another one in the next round.
    const lane = this.lanes[(this.next + Math.floor(this.next / list.length)) % this.lanes.length]!
    this.next++
    if (await this.befall(name, lane)) this.counts[name] = (this.counts[name] ?? 0) + 1
    // Nobody was there to be hit: it is tried again, on the next one.
    else this.next += list.length - 1
  }

  /** Each had its turn. */
  get hadAll(): boolean {
    return this.list.every((name) => this.counts[name] !== undefined)
  }

  /** The next one of the topology, if none is under way. */
  injectOfTopology(): void {
    const { topologyFaults } = this
    if (this.ofTopology !== undefined || topologyFaults.length === 0) return
    const fault = topologyFaults[this.nextOfTopology++ % topologyFaults.length]!
    this.ofTopology = fault
      .run()
      .then(() => {
        this.counts[fault.name] = (this.counts[fault.name] ?? 0) + 1
        this.ofTopologyDone++
      })
      .catch((cause: unknown) => {
        this.failure = new Error(`${fault.name} did not come to its end`, { cause })
      })
      .finally(() => (this.ofTopology = undefined))
  }

  /** A process has stopped itself. It goes on when a later holder of its lock has written, so that what it writes then is late. */
  stopping(worker: Worker, { place, key, fence }: Stop): void {
    // One that has written already keeps the row: nobody else can write.
    const isOver = place === 'commit' ? async () => false : () => this.database.overtaken(key, fence)
    const patienceMs = place === 'commit' ? STOPPED_MS : OVERTAKEN_MS
    this.goesOn(async () => {
      const until = performance.now() + patienceMs
      while (!this.ended && performance.now() < until && !(await isOver())) await setTimeout(LOOK_MS)
      worker.signal('SIGCONT')
    })
  }

  /** @throws what made a fault fail: the rig's own error */
  check(): void {
    if (this.failure !== undefined) throw this.failure
  }

  /** When none is under way any more: nobody waits for others to write who have nothing to do. */
  async over(): Promise<void> {
    this.ended = true
    await Promise.all([...this.under, this.ofTopology])
  }

  private async befall(name: ChaosFault, lane: Lane): Promise<boolean> {
    const ways = this.random.pick(this.ways)
    switch (name) {
      case 'SIGKILL':
        if (lane.worker === undefined) return false
        lane.worker.signal('SIGKILL')
        return true
      case 'SIGKILL in the line':
        return lane.arm({ what: 'kill', place: 'waiting' })
      case 'SIGKILL of a holder':
        return lane.arm({ what: 'kill', place: 'holding' })
      case 'SIGKILL before the commit':
        return lane.arm({ what: 'kill', place: 'commit' })
      case 'SIGKILL after the commit':
        return lane.arm({ what: 'kill', place: 'release' })
      case 'SIGSTOP of a holder':
        return lane.arm({ what: 'stop', place: 'holding' })
      case 'SIGSTOP between assertHeld and the write':
        return lane.arm({ what: 'stop', place: 'write' })
      case 'SIGSTOP before the commit':
        return lane.arm({ what: 'stop', place: 'commit' })
      case 'SIGSTOP':
        return this.stop(lane.worker)
      case 'CLIENT PAUSE':
        return this.onMasters('CLIENT', 'PAUSE', SERVER_PAUSED_MS)
      case 'CLIENT KILL of data connections':
        return this.onMasters('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      case 'CLIENT KILL of wake-up connections':
        return this.onMasters('CLIENT', 'KILL', 'TYPE', 'pubsub')
      case 'SCRIPT FLUSH':
        return this.onMasters('SCRIPT', 'FLUSH')
      case 'DEL of the last fence': {
        const { key } = this.random.pick(this.keys)
        // The masters of a Cluster that have it not refuse.
        return this.onMasters('DEL', `vextrus@lock:{${key}}:mutex-fence`)
      }
      case 'network held for 700 ms':
        ways.holdFor(HELD_MS)
        return true
      case 'network cut':
        ways.cut()
        return true
      case 'network held, then cut':
        ways.holdFor(HELD_MS / 2)
        ways.cut()
        return true
      case 'wake-up connection half-open':
        return this.on('tracking', (network) => network.lose('tracking'))
      case 'data connection half-open':
        return this.on('data', (network) => network.lose('data'))
    }
  }

  private stop(worker: Worker | undefined): boolean {
    if (worker === undefined) return false
    worker.signal('SIGSTOP')
    this.goesOn(async () => {
      await setTimeout(STOPPED_MS)
      worker.signal('SIGCONT')
    })
    return true
  }

  /** On one that has such a connection now. False: none has. */
  private on(kind: LineKind, what: (network: Network) => void): boolean {
    const able = this.ways.flatMap((ways) => ways.with(kind))
    if (able.length === 0) return false
    what(this.random.pick(able))
    return true
  }

  /** A master that is away, or is none any more, has enough to bear. */
  private async onMasters(name: string, ...args: (string | number)[]): Promise<boolean> {
    const masters = await this.servers.masters()
    await Promise.all(masters.map((server: RedisServer) => server.command(name, ...args).catch(() => undefined)))
    return true
  }

  private goesOn(fault: () => Promise<void>): void {
    const under = fault()
      .catch((cause: unknown) => {
        this.failure = new Error('a stopped process was not let go', { cause })
      })
      .finally(() => this.under.delete(under))
    this.under.add(under)
  }
}

/** In the order in which they come. */
export const CHAOS_FAULTS = [
  'SIGSTOP between assertHeld and the write',
  'network cut',
  'SIGKILL of a holder',
  'SCRIPT FLUSH',
  'CLIENT KILL of data connections',
  'SIGSTOP of a holder',
  'network held for 700 ms',
  'SIGKILL before the commit',
  'DEL of the last fence',
  'CLIENT KILL of wake-up connections',
  'SIGSTOP',
  'data connection half-open',
  'SIGKILL in the line',
  'CLIENT PAUSE',
  'SIGSTOP between assertHeld and the write',
  'wake-up connection half-open',
  'SIGKILL after the commit',
  'network held, then cut',
  'SIGSTOP before the commit',
  'SIGKILL',
] as const

export type ChaosFault = (typeof CHAOS_FAULTS)[number]
