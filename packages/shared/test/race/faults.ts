import { setTimeout } from 'node:timers/promises'
import type { RedisServer } from '../support/redis-server.js'
import type { Worker } from './fleet.js'
import type { Network } from './network.js'

/** Longer than a lease lives: what a stopped process wakes up with is no longer its own. */
const STOPPED_MS = 3_500
/** Longer than a command is waited for: what was sent arrives after its caller has given it up. */
const HELD_MS = 700

/** What befalls the fleet while it races: one fault after the other, in a circle, each on the next process where it is about one. */
export class Faults {
  readonly counts: Record<string, number> = {}
  private readonly under = new Set<Promise<void>>()
  private next = 0

  /**
   * @param server the cache's
   * @param worker a process of the fleet, undefined while it is being started again
   * @param network its way to the cache's server
   */
  constructor(
    private readonly server: RedisServer,
    private readonly worker: (number: number) => Worker | undefined,
    private readonly network: (number: number) => Network,
  ) {}

  /** The next one. */
  async inject(): Promise<void> {
    const round = Math.floor(this.next / FAULTS.length)
    const name = FAULTS[this.next++ % FAULTS.length]!
    const worker = this.worker(round)
    switch (name) {
      case 'SIGKILL of a loading process':
        // It ends itself at the start of its next load: at no other place can that be known for certain.
        if (worker !== undefined) await worker.ask('die').catch(() => undefined)
        break
      case 'SIGKILL':
        this.worker(round + 1)?.signal('SIGKILL')
        break
      case 'SIGSTOP past the lease':
        this.stopFor(this.worker(round + 2))
        break
      case 'network held for 700 ms':
        this.network(round + 1).holdFor(HELD_MS)
        break
      case 'network cut':
        this.network(round + 2).cut()
        break
      case 'network held, then cut':
        this.network(round + 3).holdFor(HELD_MS / 2)
        this.network(round + 3).cut()
        break
      case 'CLIENT KILL of data connections':
        await this.server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        break
      case 'CLIENT KILL of tracking sessions':
        await this.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
        break
      case 'SCRIPT FLUSH':
        await this.server.command('SCRIPT', 'FLUSH')
        break
      case 'DEL of the tag clock':
        await this.server.command('DEL', 'vextrus@tags')
        break
      case 'CLIENT PAUSE 200 ms':
        await this.server.command('CLIENT', 'PAUSE', 200)
        break
    }
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  /** When none is under way any more. */
  async over(): Promise<void> {
    await Promise.all(this.under)
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
  'CLIENT PAUSE 200 ms',
  'network held, then cut',
  'CLIENT KILL of tracking sessions',
  'SIGKILL',
  'SIGSTOP past the lease',
] as const
