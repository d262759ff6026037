import { COOL, FAMILIES, sourcesOf, tagsOf, VERSIONED } from './catalogue.mjs'
import { machineMs } from './machine-ms.mjs'
import { LoadFailed, TTL_S } from './origin.mjs'

/**
 * Reads in every way that the cache has, and judges what it is answered. It asks for the acknowledged version *before* its read begins; every
 * value must be at least as new. Nothing else has to be compared, so the proof costs one look a read, whatever the number of processes.
 */
export class Reader {
  /** @param {any} surroundings those of an actor, and its `origin` */
  constructor({ cache, database, random, tally, owed, origin, naive, name }) {
    Object.assign(this, { cache, database, random, tally, owed, origin, naive, name })
  }

  async round() {
    const { random } = this
    const operation = random.weighted(READS)
    // Pages are not loaded in a list: its load would wait for parts, and lists of two processes that wait for each other's parts do so until
    // their leases are not renewed any more, half a minute.
    const choice = operation === 'getOrSetMany' ? VERSIONED.flatMap(asOften) : READABLE.flatMap(asOften)
    const keys = READ_OF_MANY.has(operation) ? random.some(choice, 2 + random.int(5)) : [random.pick(choice)]
    const sources = [...new Set(keys.flatMap(sourcesOf))]
    const { versions, demoting } = await this.database.acknowledged(sources)
    const demanded = new Map(sources.map((source, i) => [source, { version: versions[i], owed: this.owed.of(source) }]))
    const from = machineMs()
    let values
    try {
      values = await this[operation](keys)
    } catch (error) {
      if (error instanceof LoadFailed) return this.tally.count('loadErrors')
      throw error
    }
    this.tally.count(operation)
    if (demoting) this.tally.count('readsWhileDemoting')
    for (const [i, key] of keys.entries())
      await this.#judge({ operation, key, from, until: machineMs() }, values[i], demanded)
  }

  /** No value is as good as a miss; a value has to show each of its sources as acknowledged, or newer. */
  async #judge(read, value, demanded) {
    if (value === null) return
    const { key } = read
    this.tally.count('answers')
    if (value.key !== key) return this.tally.violation({ ...read, saw: `the value of ${value.key}`, actor: this.name })
    const stale = sourcesOf(key).filter((source) => {
      const { version, owed } = demanded.get(source)
      return !(value.versions[source] >= Math.max(version, owed?.version ?? 0))
    })
    if (stale.length === 0) return
    this.tally.count(`stale ${key.split(':')[0]}`)
    const show = (of) => stale.map((source) => `${source}@${of(source)}`).join(' ')
    this.tally.violation({
      ...read,
      saw: show((source) => value.versions[source]),
      demanded: show((source) => {
        const { version, owed } = demanded.get(source)
        return owed?.version > version ? `${owed.version} (own, pending)` : version
      }),
      actor: this.name,
      acknowledged: this.naive
        ? []
        : await Promise.all(stale.map((source) => this.#spans(source, value, demanded, read))),
    })
  }

  /** When that was acknowledged which the value does not show: what was owed to the process itself, from its rejection on. */
  async #spans(source, value, demanded, { until }) {
    const { version, owed } = demanded.get(source)
    const seen = value.versions[source] ?? 0
    const spans = version > seen ? await this.database.acknowledgements(source, seen, version) : []
    return owed?.version > seen ? [...spans, [owed.from, until]] : spans
  }

  async get([key]) {
    return [await this.cache.get(key)]
  }

  async lookup([key]) {
    return [(await this.cache.lookup(key)).value]
  }

  async touch([key]) {
    try {
      await this.cache.touch(key, TTL_S)
    } catch (error) {
      if (error?.code !== 'CACHE_UNAVAILABLE') throw error
      this.tally.count('refused')
    }
    return [null]
  }

  async getMany(keys) {
    return this.cache.getMany(keys)
  }

  async getOrSet([key]) {
    const tags = tagsOf(key)
    const { cache, origin } = this
    const lifetime = origin.lifetime()
    switch (this.random.int(3)) {
      case 0:
        return [await cache.getOrSet(key, () => origin.load(key), { ...lifetime, tags })]
      case 1:
        return [await cache.getOrSet(key, () => origin.load(key), { ...lifetime, tags: () => tags })]
      default:
        return [await cache.getOrSet(key, (context) => origin.loadWith(context, tags), lifetime)]
    }
  }

  async getOrSetMany(keys) {
    const asMap = this.random.chance(0.5)
    return this.cache.getOrSetMany(keys, {
      key: (key) => key,
      load: async (missing) => {
        const values = await Promise.all(missing.map((key) => this.origin.load(key)))
        return asMap ? new Map(missing.map((key, i) => [key, values[i]])) : values
      },
      ...this.origin.lifetime(),
      tags: (value) => tagsOf(value.key),
    })
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
