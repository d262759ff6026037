import { setImmediate, setTimeout } from 'node:timers/promises'
import { PAGE_OF_QUIET, partsOf, tagsOf } from './catalogue.mjs'
import { machineMs } from './machine-ms.mjs'

/** Lifetime of an entry in the race, s. */
export const TTL_S = 60

/** What an actor's values come from: the database, slowly, and for pages the cache itself. */
export class Origin {
  /**
   * @param {object} surroundings
   * @param {any} surroundings.cache
   * @param {import('./database.mjs').Database} surroundings.database
   * @param {import('./seeded.mjs').Seeded} surroundings.random
   * @param {import('./tally.mjs').Tally} surroundings.tally
   * @param {import('./judge.mjs').Judge} surroundings.judge
   */
  constructor({ cache, database, random, tally, judge }) {
    Object.assign(this, { cache, database, random, tally, judge })
  }

  /** Reads the database. The wait after the read is the race: what was read is getting old. @param {string} key */
  async load(key) {
    this.tally.count('loads')
    this.tally.at('load')
    await this.latency()
    if (this.random.chance(0.01)) throw new LoadFailed()
    if (this.random.chance(0.01)) return null
    if (key.startsWith('page:')) return this.#loadPage(key)
    const [version] = await this.database.versions([key])
    await this.latency()
    return this.value(key, { [key]: version })
  }

  /** Tags from inside the load; now and then the value is not to be stored. */
  async loadWith(context, tags) {
    if (this.random.chance(0.05)) context.skip()
    context.addTags(...tags)
    return this.load(context.key)
  }

  /** How long an entry lives. Some are soon served after their time, and loaded anew in the background. @param {string} key */
  lifetime(key) {
    if (key === PAGE_OF_QUIET) return SHORT
    return key.startsWith('quiet:') ? LONG : this.random.weighted(LIFETIMES)
  }

  value(key, versions) {
    return { key, versions, padding: 'x'.repeat(this.random.int(200)) }
  }

  async latency() {
    const ms = this.random.weighted(LATENCIES)
    await (ms === 0 ? setImmediate() : setTimeout(this.random.int(ms)))
  }

  /** A page is made of what the cache says of its parts. Inside a load that is never what the process remembers (R22), so P1 holds. */
  async #loadPage(page) {
    const keys = partsOf(page)
    this.tally.count('nested')
    const demanded = await this.judge.demands(keys)
    const from = machineMs()
    const parts = this.random.chance(0.5)
      ? await Promise.all(
          keys.map((key) =>
            this.cache.getOrSet(key, () => this.load(key), { ...this.lifetime(key), tags: tagsOf(key) }),
          ),
        )
      : await this.cache.getOrSetMany(keys, {
          key: (key) => key,
          load: (missing) => Promise.all(missing.map((key) => this.load(key))),
          ttl: TTL_S,
          tags: (value) => tagsOf(value.key),
        })
    for (const [i, key] of keys.entries())
      await this.judge.judge({ operation: 'inside a load', key, from, until: machineMs() }, parts[i], demanded, 0)
    if (parts.includes(null)) return null
    return this.value(page, Object.assign({}, ...parts.map(({ versions }) => versions)))
  }
}

export class LoadFailed extends Error {}

/** Up to how many ms: most answers of a database are quick, some are not. 0: the next turn of the event loop. */
const LATENCIES = /** @type {const} */ ([
  [40, 0],
  [40, 5],
  [17, 20],
  [3, 80],
])

const LONG = { ttl: TTL_S }
/** Of what is made of parts that lie in memory for long: loaded again and again, also by a process that hears nothing (R22). */
const SHORT = { ttl: '200ms' }
const LIFETIMES = /** @type {const} */ ([
  [70, LONG],
  [10, { ttl: 1 }],
  [20, { ttl: '150ms', grace: '20s' }],
])
