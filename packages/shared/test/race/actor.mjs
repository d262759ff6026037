import { setImmediate, setTimeout } from 'node:timers/promises'
import { COOL, FAMILIES, partsOf, sourcesOf, tagged, tagsOf, VERSIONED } from './catalogue.mjs'

const TTL_S = 60
/** An invalidation that was refused may not have happened: its writer calls again, for this long at most. */
const PATIENCE_MS = 5_000
const ATTEMPT_MS = 25
/** An operation that takes longer than this will never end. */
const HANGING_MS = 45_000

/**
 * One of the concurrent users of a process: it reads and writes in turn and holds the cache to P1.
 *
 * A writer commits a version, invalidates, and raises the acknowledged version once its call has *resolved*. A reader asks for the
 * acknowledged version *before* its read begins; every value it is answered must be at least as new. Nothing else has to be compared, so the
 * proof costs one look a read, whatever the number of processes.
 */
export class Actor {
  /**
   * @param {object} surroundings
   * @param {any} surroundings.cache the cache under test
   * @param {import('./database.mjs').Database} surroundings.database
   * @param {import('./seeded.mjs').Seeded} surroundings.random
   * @param {import('./tally.mjs').Tally} surroundings.tally
   * @param {string} surroundings.name for reports
   */
  constructor({ cache, database, random, tally, name }) {
    Object.assign(this, { cache, database, random, tally, name })
  }

  /** One operation. False: it has not come to an end in time, and the actor with it. */
  async round() {
    const operation = this.random.weighted(this.random.chance(0.85) ? READS : WRITES)
    const patience = new AbortController()
    const over = setTimeout(HANGING_MS, true, { signal: patience.signal }).catch(() => false)
    const hangs = await Promise.race([this.run(operation), over])
    patience.abort()
    if (hangs === true) this.tally.violation({ operation, saw: `no end after ${HANGING_MS} ms`, actor: this.name })
    else if (this.random.chance(0.5)) await this.latency()
    return hangs !== true
  }

  async run(operation) {
    try {
      if (READ_NAMES.has(operation)) return await this.read(operation)
      await this[operation]()
      this.tally.count(operation)
    } catch (error) {
      // Neither a load that failed nor an invalidation that was refused: those are met where they belong.
      this.tally.violation({ operation, saw: String(error?.stack ?? error), actor: this.name })
    }
  }

  async read(operation) {
    const { random } = this
    // Pages are not loaded in a list: its load would wait for parts, and lists of two processes that wait for each other's parts do so until
    // their leases are not renewed any more, half a minute.
    const choice = operation === 'getOrSetMany' ? VERSIONED.flatMap(asOften) : READABLE.flatMap(asOften)
    const keys = READ_OF_MANY.has(operation) ? random.some(choice, 2 + random.int(5)) : [random.pick(choice)]
    const sources = [...new Set(keys.flatMap(sourcesOf))]
    const demanded = await this.database.acknowledged(sources)
    let values
    try {
      values = await this[operation](keys)
    } catch (error) {
      if (error instanceof LoadFailed) return this.tally.count('loadErrors')
      throw error
    }
    this.tally.count(operation)
    keys.forEach((key, i) =>
      this.judge(operation, key, values[i], new Map(sources.map((source, n) => [source, demanded[n]]))),
    )
  }

  /** No value is as good as a miss; a value has to show each of its sources as acknowledged, or newer. */
  judge(operation, key, value, demanded) {
    if (value === null) return
    this.tally.count('answers')
    if (value.key !== key)
      return this.tally.violation({ operation, key, saw: `the value of ${value.key}`, actor: this.name })
    const stale = sourcesOf(key).filter((source) => !(value.versions[source] >= demanded.get(source)))
    if (stale.length === 0) return
    this.tally.count(`stale ${key.split(':')[0]}`)
    const show = (of) => stale.map((source) => `${source}@${of(source)}`).join(' ')
    this.tally.violation({
      operation,
      key,
      saw: show((source) => value.versions[source]),
      demanded: show((source) => demanded.get(source)),
      actor: this.name,
    })
  }

  async get([key]) {
    return [await this.cache.get(key)]
  }

  async lookup([key]) {
    return [(await this.cache.lookup(key)).value]
  }

  async touch([key]) {
    await this.persistently(() => this.cache.touch(key, TTL_S))
    return [null]
  }

  async getMany(keys) {
    return this.cache.getMany(keys)
  }

  async getOrSet([key]) {
    const tags = tagsOf(key)
    const ttl = this.random.chance(0.1) ? 1 : TTL_S
    switch (this.random.int(3)) {
      case 0:
        return [await this.cache.getOrSet(key, () => this.load(key), { ttl, tags })]
      case 1:
        return [await this.cache.getOrSet(key, () => this.load(key), { ttl, tags: () => tags })]
      default:
        return [await this.cache.getOrSet(key, (context) => this.loadWith(context, tags), { ttl })]
    }
  }

  async getOrSetMany(keys) {
    const asMap = this.random.chance(0.5)
    return this.cache.getOrSetMany(keys, {
      key: (key) => key,
      load: async (missing) => {
        const values = await Promise.all(missing.map((key) => this.load(key)))
        return asMap ? new Map(missing.map((key, i) => [key, values[i]])) : values
      },
      ttl: TTL_S,
      tags: (value) => tagsOf(value.key),
    })
  }

  /** Tags from inside the load; now and then the value is not to be stored. */
  async loadWith(context, tags) {
    if (this.random.chance(0.05)) context.skip()
    context.addTags(...tags)
    return this.load(context.key)
  }

  /** Reads the database, slowly. The wait after the read is the race: what was read is getting old. */
  async load(key) {
    this.tally.loading(key)
    await this.latency()
    if (this.random.chance(0.01)) throw new LoadFailed()
    if (this.random.chance(0.01)) return null
    if (key.startsWith('page:')) return this.loadPage(key)
    const [version] = await this.database.versions([key])
    await this.latency()
    return this.value(key, { [key]: version })
  }

  /** A page is made of what the cache says of its parts. */
  async loadPage(page) {
    const parts = await Promise.all(
      partsOf(page).map((key) => this.cache.getOrSet(key, () => this.load(key), { ttl: TTL_S, tags: tagsOf(key) })),
    )
    if (parts.includes(null)) return null
    return this.value(page, Object.assign({}, ...parts.map(({ versions }) => versions)))
  }

  value(key, versions) {
    return { key, versions, padding: 'x'.repeat(this.random.int(200)) }
  }

  async deletePlain() {
    const keys = this.random.some(FAMILIES.plain, 1 + this.random.int(2))
    await this.commitThen(keys, () => this.cache.delete(keys.length === 1 ? keys[0] : keys))
  }

  async deleteTagged() {
    const key = this.random.pick(FAMILIES.tagged)
    await this.commitThen([key], () => this.cache.delete(key))
  }

  /** One of several tags: the others of the entry have not moved. */
  async invalidateOne() {
    const key = this.random.pick([...FAMILIES.tagged, ...FAMILIES.part])
    await this.commitThen([key], () => this.cache.invalidateByTag(this.random.pick(tagsOf(key))))
  }

  /** All keys that carry the tag are written, then the tag is invalidated once. */
  async invalidateBulk() {
    const { tag, keys } = this.random.pick(tagged(this.random.pick(['tagged', 'part'])))
    const another = this.random.chance(0.3) ? ['nobody:carries-this'] : []
    await this.commitThen(keys, () => this.cache.invalidateByTag([...another, tag]))
  }

  async clear() {
    const keys = [...FAMILIES.plain, ...FAMILIES.tagged, ...FAMILIES.part]
    await this.commitThen(keys, () => this.cache.clear())
  }

  /** Write-through, one writer of the key at a time: without a version two of them would be last-one-wins. */
  async writeThrough() {
    const key = this.random.pick(FAMILIES.through)
    const tags = tagsOf(key)
    const ran = await this.database.alone(key, async () => {
      const [version] = await this.database.commit([key])
      await this.latency()
      const value = this.value(key, { [key]: version })
      const options = { ttl: TTL_S, tags, onUnavailable: 'throw' }
      const how = this.random.weighted([
        [4, () => this.cache.set(key, value, options)],
        [2, () => this.cache.setMany([{ key, value, tags }], { ttl: TTL_S, onUnavailable: 'throw' })],
        [2, () => this.cache.delete(key)],
        [2, () => this.cache.invalidateByTag(`through:${key.split(':')[1]}`)],
      ])
      try {
        await how()
      } catch (error) {
        if (!isUnavailable(error)) throw error
        this.tally.count('refused')
        // It may be stored or not: what is certain is made by a delete.
        if (!(await this.persistently(() => this.cache.delete(key)))) return
      }
      await this.database.acknowledge([key], [version])
    })
    if (!ran) this.tally.count('abandoned')
  }

  async commitThen(keys, invalidate) {
    const versions = await this.database.commit(keys)
    if (this.random.chance(0.3)) await this.latency()
    if (await this.persistently(invalidate)) await this.database.acknowledge(keys, versions)
  }

  /** Calls until it resolves. False: it never did. */
  async persistently(call) {
    const until = performance.now() + PATIENCE_MS
    do {
      try {
        await call()
        return true
      } catch (error) {
        if (!isUnavailable(error)) throw error
        this.tally.count('refused')
        await setTimeout(ATTEMPT_MS)
      }
    } while (performance.now() < until)
    this.tally.count('abandoned')
    return false
  }

  async latency() {
    const ms = this.random.weighted(LATENCIES)
    await (ms === 0 ? setImmediate() : setTimeout(this.random.int(ms)))
  }
}

/** At rest: finishes for its writer what a killed one has begun, so that every version is an acknowledged one. */
export async function settle({ cache, database }) {
  const versions = await database.versions(VERSIONED)
  const acknowledged = await database.acknowledged(VERSIONED)
  const open = VERSIONED.filter((_, i) => acknowledged[i] < versions[i])
  if (open.length === 0) return 0
  await cache.delete(open)
  const tags = [...new Set(open.flatMap(tagsOf))]
  if (tags.length > 0) await cache.invalidateByTag(tags)
  await database.acknowledge(VERSIONED, versions)
  return open.length
}

/** At rest: every way of reading answers what the database holds, or nothing. */
export async function verify({ cache, database, tally, name }) {
  const versions = new Map((await database.versions(VERSIONED)).map((version, i) => [VERSIONED[i], version]))
  const current = (key) => Object.fromEntries(sourcesOf(key).map((source) => [source, versions.get(source)]))
  const many = await cache.getMany(READABLE)
  for (const [i, key] of READABLE.entries()) {
    const load = () => ({ key, versions: current(key) })
    const answers = {
      getMany: many[i],
      get: await cache.get(key),
      getOrSet: await cache.getOrSet(key, load, { ttl: TTL_S, tags: tagsOf(key) }),
      afterwards: await cache.get(key),
    }
    for (const [operation, value] of Object.entries(answers)) {
      tally.count('atRest')
      const expected = current(key)
      const missing = value === null && operation !== 'getOrSet'
      if (missing || sourcesOf(key).every((source) => value?.versions[source] === expected[source])) continue
      const saw = JSON.stringify(value?.versions ?? null)
      tally.violation({ operation: `at rest: ${operation}`, key, saw, demanded: JSON.stringify(expected), actor: name })
    }
  }
}

/** A list may name a key twice, as users' lists do. @param {string} key */
const asOften = (key) => (COOL.includes(key) ? [key] : Array.from({ length: 8 }, () => key))

const READABLE = [...VERSIONED, ...FAMILIES.page]
const READ_OF_MANY = new Set(['getMany', 'getOrSetMany'])

const READS = /** @type {const} */ ([
  [50, 'getOrSet'],
  [15, 'getOrSetMany'],
  [15, 'get'],
  [10, 'getMany'],
  [7, 'lookup'],
  [3, 'touch'],
])

const WRITES = /** @type {const} */ ([
  [25, 'deletePlain'],
  [15, 'deleteTagged'],
  [25, 'invalidateOne'],
  [10, 'invalidateBulk'],
  [24, 'writeThrough'],
  [3, 'clear'],
])

const READ_NAMES = new Set(READS.map(([, name]) => name))

/** Up to how many ms: most answers of a database are quick, some are not. 0: the next turn of the event loop. */
const LATENCIES = /** @type {const} */ ([
  [40, 0],
  [40, 5],
  [17, 20],
  [3, 80],
])

class LoadFailed extends Error {}

const isUnavailable = (error) => error?.code === 'CACHE_UNAVAILABLE'
