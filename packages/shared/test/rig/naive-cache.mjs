import { Redis } from 'ioredis'
import { FAMILIES, VERSIONED } from './catalogue.mjs'

/**
 * Cache-aside as it is usually written, with the cache's own operations: GET, on a miss load and SET, on a write DEL; tags are sets of keys.
 *
 * The race runs on it to show that the referee sees stale reads when there are any.
 */
export class NaiveCache {
  hits = 0
  misses = 0

  /** @param {number} port */
  constructor(port) {
    this.redis = new Redis({ port, enableAutoPipelining: true })
  }

  async get(key) {
    const text = await this.redis.get(key)
    if (text === null) this.misses++
    else this.hits++
    return text === null ? null : JSON.parse(text)
  }

  async lookup(key) {
    const value = await this.get(key)
    return { hit: value !== null, value }
  }

  async getMany(keys) {
    return Promise.all(keys.map((key) => this.get(key)))
  }

  async getOrSet(key, load, options) {
    const cached = await this.get(key)
    if (cached !== null) return cached
    const tags = []
    let skipped = false
    const value = await load({
      key,
      addTags: (...more) => tags.push(...more),
      skip: () => (skipped = true),
      setTtl() {},
    })
    if (value === null || skipped) return value
    tags.push(...(typeof options.tags === 'function' ? options.tags(value) : (options.tags ?? [])))
    await this.set(key, value, { ttl: options.ttl, tags })
    return value
  }

  async getOrSetMany(items, { key, load, ttl, tags }) {
    const cached = await this.getMany(items.map(key))
    const missing = items.filter((_, i) => cached[i] === null)
    if (missing.length === 0) return cached
    const loaded = await load(missing)
    const valueOf = (item) => (loaded instanceof Map ? loaded.get(item) : loaded[missing.indexOf(item)]) ?? null
    for (const item of missing) {
      const value = valueOf(item)
      if (value !== null) await this.set(key(item), value, { ttl, tags: tags(value) })
    }
    return items.map((item, i) => cached[i] ?? valueOf(item))
  }

  async set(key, value, { ttl = 60, tags = [] } = {}) {
    await Promise.all([
      this.redis.set(
        key,
        JSON.stringify(value),
        'PX',
        typeof ttl === 'number' ? ttl * 1_000 : Number.parseInt(ttl, 10),
      ),
      ...tags.map((tag) => this.redis.sadd(`tag:${tag}`, key)),
    ])
  }

  async setMany(entries, { ttl } = {}) {
    await Promise.all(entries.map(({ key, value, tags }) => this.set(key, value, { ttl, tags })))
  }

  async touch(key, ttl) {
    return (await this.redis.expire(key, ttl)) === 1
  }

  async delete(key) {
    return this.redis.del(...[key].flat())
  }

  async deleteByPattern(glob) {
    const keys = (await this.redis.keys(glob)) ?? []
    return keys.length === 0 ? 0 : this.redis.del(...keys)
  }

  async invalidateAround({ keys = [], tags = [] }, work) {
    try {
      return await work(new AbortController().signal)
    } finally {
      if (keys.length > 0) await this.delete(keys)
      await this.invalidateByTag(tags)
    }
  }

  async invalidateByTag(tag) {
    for (const each of [tag].flat()) {
      const keys = await this.redis.smembers(`tag:${each}`)
      if (keys.length > 0) await this.redis.del(...keys)
    }
  }

  async clear() {
    await this.redis.del(...VERSIONED, ...FAMILIES.page)
  }

  getStatistics() {
    return { hits: this.hits, misses: this.misses, pending: 0 }
  }

  async close() {
    this.redis.disconnect()
  }
}
