import { COOL, FAMILIES, sourcesOf, tagsOf, VERSIONED } from './catalogue.mjs'
import { machineMs } from './machine-ms.mjs'
import { LoadFailed, TTL_S } from './origin.mjs'

/** Reads in every way that the cache has, asks beforehand what has been acknowledged, and has the answers judged by it. */
export class Reader {
  /** @param {any} surroundings those of an actor, and its `origin` and `judge` */
  constructor({ cache, random, tally, near, origin, judge }) {
    Object.assign(this, { cache, random, tally, near, origin, judge })
  }

  async round() {
    const { random } = this
    const operation = random.weighted(READS)
    // Pages are not loaded in a list: its load would wait for parts, and lists of two processes that wait for each other's parts do so until
    // their leases are not renewed any more, half a minute.
    const choice = operation === 'getOrSetMany' ? VERSIONED.flatMap(asOften) : READABLE.flatMap(asOften)
    const keys = READ_OF_MANY.has(operation) ? random.some(choice, 2 + random.int(5)) : [random.pick(choice)]
    const demanded = await this.judge.demands([...new Set(keys.flatMap(sourcesOf))])
    const from = machineMs()
    let answer
    try {
      answer = await this[operation](keys)
    } catch (error) {
      if (error instanceof LoadFailed) return this.tally.count('loadErrors')
      throw error
    }
    this.tally.count(operation)
    const { values, past = false } = answer
    const allowanceMs = past ? 0 : this.near.stalenessMs
    for (const [i, key] of keys.entries())
      await this.judge.judge({ operation, key, from, until: machineMs() }, values[i], demanded, allowanceMs)
  }

  // Each answers its values, and whether they are known to have come past the process's memory.

  async get([key]) {
    return { values: [await this.cache.get(key)] }
  }

  async lookup([key]) {
    const { value, level } = await this.cache.lookup(key)
    return { values: [value], past: level !== 'l1' }
  }

  async touch([key]) {
    try {
      await this.cache.touch(key, TTL_S)
    } catch (error) {
      if (error?.code !== 'CACHE_UNAVAILABLE') throw error
      this.tally.count('refused')
    }
    return { values: [null] }
  }

  async getMany(keys) {
    return { values: await this.cache.getMany(keys) }
  }

  async getOrSet([key]) {
    const tags = tagsOf(key)
    const { cache, origin, random } = this
    const past = random.chance(0.2)
    const options = {
      ...origin.lifetime(key),
      ...(past ? { l1: false } : random.chance(0.2) ? { l1: { ttl: 1 } } : {}),
    }
    switch (random.int(3)) {
      case 0:
        return { past, values: [await cache.getOrSet(key, () => origin.load(key), { ...options, tags })] }
      case 1:
        return { past, values: [await cache.getOrSet(key, () => origin.load(key), { ...options, tags: () => tags })] }
      default:
        return { past, values: [await cache.getOrSet(key, (context) => origin.loadWith(context, tags), options)] }
    }
  }

  async getOrSetMany(keys) {
    const asMap = this.random.chance(0.5)
    const values = await this.cache.getOrSetMany(keys, {
      key: (key) => key,
      load: async (missing) => {
        const loaded = await Promise.all(missing.map((key) => this.origin.load(key)))
        return asMap ? new Map(missing.map((key, i) => [key, loaded[i]])) : loaded
      },
      ...this.origin.lifetime(keys[0]),
      tags: (value) => tagsOf(value.key),
    })
    return { values }
  }
}

/** Everything that can be read. */
export const READABLE = [...VERSIONED, ...FAMILIES.page]

/** A list may name a key twice, as users' lists do. @param {string} key */
const asOften = (key) => (COOL.includes(key) ? [key] : Array.from({ length: 8 }, () => key))

const READ_OF_MANY = new Set(['getMany', 'getOrSetMany'])

const READS = /** @type {const} */ ([
  [50, 'getOrSet'],
  [15, 'getOrSetMany'],
  [15, 'get'],
  [10, 'getMany'],
  [7, 'lookup'],
  [3, 'touch'],
])
