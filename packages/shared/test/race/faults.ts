import { setTimeout } from 'node:timers/promises'
import type { RedisServer } from '../support/redis-server.js'
import type { Worker } from './fleet.js'
import type { Hazards } from './hazards.js'
import type { RaceServers } from './servers.js'
import type { TopologyFault } from './topology-fault.js'
import type { Ways } from './ways.js'

/** Longer than a lease lives: what a stopped process wakes up with is no longer its own. */
const STOPPED_MS = 3_500
/** Longer than a command is waited for: what was sent arrives after its caller has given it up. */
const HELD_MS = 700

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
   * @param ways its ways to the cache's servers
   */
  constructor(
    private readonly servers: RaceServers,
    private readonly topologyFaults: readonly TopologyFault[],
    private readonly hazards: Hazards,
    private readonly worker: (number: number) => Worker | undefined,
    private readonly ways: (number: number) => Ways,
  ) {}

  /** The next one, of those that befall every topology. */
  async inject(): Promise<void> {
    const round = Math.floor(this.next / FAULTS.length)
    const name = FAULTS[this.next++ % FAULTS.length]!
    const worker = this.worker(round)
    switch (name) {
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
        this.stopFor(this.worker(round + 2))
        break
      case 'network held for 700 ms':
        this.ways(round + 1).holdFor(HELD_MS)
        break
      case 'network cut':
        this.ways(round + 2).cut()
        break
      case 'network held, then cut':
        this.ways(round + 3).holdFor(HELD_MS / 2)
        this.ways(round + 3).cut()
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
        await this.onMasters('CLIENT', 'PAUSE', 200)
        break
    }
    this.count(name)
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

  private count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  /** A master that is away, or is none any more, has enough to bear. */
  private async onMasters(name: string, ...args: (string | number)[]): Promise<void> {
    const masters = await this.servers.masters()
    await Promise.all(masters.map((server: RedisServer) => server.command(name, ...args).catch(() => undefined)))
  }

  private stopFor(worker: Worker | undefined): void {
    if (worker === undefined) return
    worker.signal('SIGSTOP')
    const woken = setTimeout(STOPPED_MS).then(() => worker.signal('SIGCONT'))
    this.under.add(woken)
    void woken.finally(() => this.under.delete(woken))
  }
}

/** In the order in which they come. */
export const FAULTS = [
  'CLIENT KILL of data connections',
  'DEL of the tag clock',
  'network held for 700 ms',
  'SIGKILL of a loading process',
  'SCRIPT FLUSH',
  'network cut',
  'SIGKILL of a holding process',
  'CLIENT PAUSE 200 ms',
  'network held, then cut',
  'CLIENT KILL of tracking sessions',
  'SIGKILL',
  'SIGSTOP past the lease',
] as const
