import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'

/** Longer than any write under a lock takes, also in a process that is stopped for a while. */
const LOCK_MS = 20_000

const RAISE = `for i = 1, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end`
const UNLOCK = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`

/**
 * The database of the race, and its referee: for each key a version that only grows, and the newest version whose invalidation was
 * acknowledged.
 *
 * It is a Redis server of its own, apart from the cache's. One thread executes its commands one after the other, so it is linearizable, and
 * what one process has acknowledged every other sees from then on.
 */
export class Database {
  /**
   * @param {number} port
   * @param {string} owner name of this process
   */
  constructor(port, owner) {
    this.owner = owner
    this.redis = new Redis({ port, enableAutoPipelining: true })
  }

  /** Versions as they are now; 0 before the first commit. @param {readonly string[]} keys @returns {Promise<number[]>} */
  async versions(keys) {
    return (await this.redis.hmget('versions', ...keys)).map(Number)
  }

  /** Moves the keys on by one, together. @param {readonly string[]} keys @returns {Promise<number[]>} the new versions */
  async commit(keys) {
    const replies = await keys.reduce((batch, key) => batch.hincrby('versions', key, 1), this.redis.multi()).exec()
    return replies.map(([, version]) => Number(version))
  }

  /** What every read that begins from now on has to show at least. @param {readonly string[]} keys @returns {Promise<number[]>} */
  async acknowledged(keys) {
    return (await this.redis.hmget('acknowledged', ...keys)).map(Number)
  }

  /** The invalidation of these versions has resolved. @param {readonly string[]} keys @param {readonly number[]} versions */
  async acknowledge(keys, versions) {
    await this.redis.eval(RAISE, 1, 'acknowledged', ...keys.flatMap((key, i) => [key, versions[i]]))
  }

  /**
   * Runs `work` as the only writer of the key; false when another one kept it for too long.
   * @param {string} key
   * @param {() => Promise<void>} work
   */
  async alone(key, work) {
    const lock = `lock:${key}`
    const token = `${this.owner}/${randomUUID()}`
    for (let attempt = 0; (await this.redis.set(lock, token, 'PX', LOCK_MS, 'NX')) === null; attempt++) {
      if (attempt === 100) return false
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    try {
      await work()
      return true
    } finally {
      await this.redis.eval(UNLOCK, 1, lock, token)
    }
  }

  /** Frees what a process that was killed held. @param {string} owner @param {readonly string[]} keys */
  async breakLocks(owner, keys) {
    for (const key of keys) {
      const holder = await this.redis.get(`lock:${key}`)
      if (holder?.startsWith(`${owner}/`)) await this.redis.eval(UNLOCK, 1, `lock:${key}`, holder)
    }
  }

  close() {
    this.redis.disconnect()
  }
}
