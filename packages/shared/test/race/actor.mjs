import { setTimeout } from 'node:timers/promises'
import { Origin } from './origin.mjs'
import { Reader } from './reader.mjs'
import { Writer } from './writer.mjs'

/** An operation that takes longer than this will never end. */
const HANGING_MS = 45_000
const READING = 0.85

/** One of the concurrent users of a process: it reads and writes in turn and holds the cache to P1 (reader.mjs, writer.mjs). */
export class Actor {
  /**
   * @param {object} surroundings
   * @param {any} surroundings.cache the cache under test
   * @param {import('./database.mjs').Database} surroundings.database
   * @param {import('./seeded.mjs').Seeded} surroundings.random
   * @param {import('./tally.mjs').Tally} surroundings.tally
   * @param {import('./owed.mjs').Owed} surroundings.owed of the process
   * @param {boolean} surroundings.naive
   * @param {string} surroundings.name for reports
   */
  constructor(surroundings) {
    const origin = new Origin(surroundings)
    this.surroundings = surroundings
    this.origin = origin
    this.reader = new Reader({ ...surroundings, origin })
    this.writer = new Writer({ ...surroundings, origin })
  }

  /** One operation. False: it has not come to an end in time, and the actor with it. */
  async round() {
    const { random, tally, name } = this.surroundings
    const patience = new AbortController()
    const over = setTimeout(HANGING_MS, true, { signal: patience.signal }).catch(() => false)
    const user = random.chance(READING) ? this.reader : this.writer
    const hangs = await Promise.race([this.#run(user), over])
    patience.abort()
    if (hangs === true)
      tally.violation({ operation: user.constructor.name, saw: `no end after ${HANGING_MS} ms`, actor: name })
    else if (random.chance(0.5)) await this.origin.latency()
    return hangs !== true
  }

  async #run(user) {
    try {
      await user.round()
    } catch (error) {
      // Neither a load that failed nor an invalidation that was refused: those are met where they belong.
      const { tally, name } = this.surroundings
      tally.violation({ operation: user.constructor.name, saw: String(error?.stack ?? error), actor: name })
    }
  }
}
