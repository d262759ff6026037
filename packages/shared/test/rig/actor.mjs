import { setTimeout } from 'node:timers/promises'
import { Burst } from './burst.mjs'
import { Judge } from './judge.mjs'
import { Origin } from './origin.mjs'
import { Reader } from './reader.mjs'
import { Writer } from './writer.mjs'

/** An operation that takes longer than this will never end. */
const HANGING_MS = 45_000

/** One of the concurrent users of a process: it reads, once or in bursts, and writes in turn (reader.mjs, burst.mjs, writer.mjs). */
export class Actor {
  /**
   * @param {object} surroundings
   * @param {any} surroundings.cache the cache under test
   * @param {import('./database.mjs').Database} surroundings.database
   * @param {import('./seeded.mjs').Seeded} surroundings.random
   * @param {import('./tally.mjs').Tally} surroundings.tally
   * @param {import('./own.mjs').Own} surroundings.own of the process
   * @param {{ stalenessMs: number, values: string }} surroundings.near how the process remembers what it read
   * @param {boolean} surroundings.naive
   * @param {string} surroundings.name for reports
   * @param {boolean} [surroundings.watches] it does nothing but look, all the time
   */
  constructor(surroundings) {
    const judge = new Judge(surroundings)
    const origin = new Origin({ ...surroundings, judge })
    const all = { ...surroundings, origin, judge }
    this.surroundings = surroundings
    this.origin = origin
    this.reader = new Reader(all)
    this.writer = new Writer(all)
    // The usual cache-aside has no memory to read from.
    this.burst = surroundings.naive ? this.reader : new Burst(all)
    this.watcher = { round: () => this.burst.watch() }
  }

  /** One operation. False: it has not come to an end in time, and the actor with it. */
  async round() {
    const { random, tally, name } = this.surroundings
    const patience = new AbortController()
    const over = setTimeout(HANGING_MS, true, { signal: patience.signal }).catch(() => false)
    const user = this[this.surroundings.watches ? 'watcher' : random.weighted(USERS)]
    const hangs = await Promise.race([this.#run(user), over])
    patience.abort()
    if (hangs === true)
      tally.violation({ operation: this.#nameOf(user), saw: `no end after ${HANGING_MS} ms`, actor: name })
    else if (random.chance(0.5)) await this.origin.latency()
    return hangs !== true
  }

  #nameOf(user) {
    return user === this.watcher ? 'Watcher' : user.constructor.name
  }

  async #run(user) {
    try {
      await user.round()
    } catch (error) {
      // Neither a load that failed nor an invalidation that was refused: those are met where they belong.
      const { tally, name } = this.surroundings
      tally.violation({ operation: this.#nameOf(user), saw: String(error?.stack ?? error), actor: name })
    }
  }
}

const USERS = /** @type {const} */ ([
  [75, 'reader'],
  [10, 'burst'],
  [15, 'writer'],
])
