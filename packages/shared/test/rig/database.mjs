import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { History } from './history.mjs'
import { machineMs } from './machine-ms.mjs'

/** Longer than any write under a lock takes, also in a process that is stopped for a while. */
const LOCK_MS = 20_000

const RAISE = `for i = 3, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > tonumber(redis.call('HGET', 'acknowledged', ARGV[i]) or 0) then
    redis.call('HSET', 'acknowledged', ARGV[i], ARGV[i + 1])
    redis.call('ZADD', 'history:' .. ARGV[i], ARGV[2], ARGV[i + 1])
  end
  redis.call('HSET', 'acks:' .. ARGV[i], ARGV[i + 1], ARGV[1] .. ' ' .. ARGV[2])
end`
const UNLOCK = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`
/**
 * Commits, and acknowledges with it if no hazard has begun and the hold can't have ended. The writer may be killed or stopped at any moment,
 * so the server itself says when that was: its own clock, less what the writer says that it is ahead of the machine's monotonic one.
 */
const COMMIT_HELD = `local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local at = string.format('%.3f', now - tonumber(ARGV[4]))
local state = redis.call('HMGET', 'hazards', 'begun', 'open')
local held = (state[1] or '0') == ARGV[1] and (state[2] or '0') == '0' and now < tonumber(ARGV[2])
local reply = { held and 1 or 0 }
for i = 5, #ARGV do
  local version = redis.call('HINCRBY', 'versions', ARGV[i], 1)
  if held then
    redis.call('HSET', 'acknowledged', ARGV[i], version)
    redis.call('ZADD', 'history:' .. ARGV[i], at, version)
    redis.call('HSET', 'acks:' .. ARGV[i], version, ARGV[3] .. ' ' .. at)
  end
  reply[#reply + 1] = version
end
return reply`
/** Of each key the acknowledgements since then, and the last one before, by time. */
const HISTORY = `local reply = {}
for i = 2, #ARGV do
  local key = 'history:' .. ARGV[i]
  local list = redis.call('ZREVRANGEBYSCORE', key, '(' .. ARGV[1], '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', key, ARGV[1], '+inf', 'WITHSCORES')) do list[#list + 1] = each end
  reply[#reply + 1] = list
end
return reply`

/**
 * The database of the race, and its referee: for each key a version that only grows, and the newest version whose invalidation was
 * acknowledged.
 *
 * It is a Redis server of its own, apart from the cache's. One thread executes its commands one after the other, so it is linearizable, and
 * what one process has acknowledged every other sees from then on.
 *
 * Beside each acknowledged version stands from when to when its invalidation took (machine ms), for the failovers; the times at which versions
 * were acknowledged make the key's history, against which reads from memory are judged; and in `hazards` stands how many
 * faults have begun, and are under way, after which the tag clock may lack a hold that was placed before; and likewise for clears.
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

  /**
   * Moves the keys on by one under a hold that was asked for before. The versions count as acknowledged with the commit, unless the hold may
   * have been lost since, by a hazard or because its time is over.
   * @param {readonly string[]} keys
   * @param {{ hazards: Hazards, placedAt: number, endsAt: number }} hold `placedAt` in machine ms, `endsAt` of the wall clock: the server is on this machine
   * @returns {Promise<{ versions: number[], held: boolean }>}
   */
  async commitHeld(keys, { hazards, placedAt, endsAt }) {
    const begun = hazards.open === 0 ? hazards.begun : -1
    // `Date.now()` has lost its fraction: what is acknowledged is so a millisecond late at most, and never early.
    const ahead = Date.now() - machineMs()
    const [held, ...versions] = await this.redis.eval(COMMIT_HELD, 0, begun, endsAt, placedAt, ahead, ...keys)
    return { versions, held: held === 1 }
  }

  /**
   * What every read that begins from now on has to show at least, and whether a master that was demoted just now may still be answering.
   * @param {readonly string[]} keys
   * @returns {Promise<{ versions: number[], demoting: boolean }>}
   */
  async acknowledged(keys) {
    const [until, ...versions] = await this.redis.hmget('acknowledged', '#demoting', ...keys)
    return { versions: versions.map(Number), demoting: machineMs() < Number(until) }
  }

  /**
   * The invalidation of these versions has resolved.
   * @param {readonly string[]} keys
   * @param {readonly number[]} versions
   * @param {number} from machine ms at which it was called
   */
  async acknowledge(keys, versions, from) {
    await this.redis.eval(RAISE, 0, from, machineMs(), ...keys.flatMap((key, i) => [key, versions[i]]))
  }

  /**
   * When the invalidations of versions above `seen` up to `demanded` were acknowledged, the newest ones.
   * @param {string} key
   * @param {number} seen
   * @param {number} demanded
   * @returns {Promise<[from: number, until: number][]>}
   */
  async acknowledgements(key, seen, demanded) {
    const versions = Array.from({ length: Math.min(1_000, demanded - seen) }, (_, i) => String(demanded - i))
    const spans = await this.redis.hmget(`acks:${key}`, ...versions)
    return spans.filter((text) => text !== null).map((text) => text.split(' ').map(Number))
  }

  /**
   * When versions of these keys were acknowledged.
   * @param {readonly string[]} keys
   * @param {number} since machine ms; and the last one before
   * @returns {Promise<Map<string, History>>}
   */
  async histories(keys, since) {
    const lists = await this.redis.eval(HISTORY, 0, since, ...keys)
    return new Map(keys.map((key, i) => [key, new History(lists[i])]))
  }

  /** @returns {Promise<Hazards>} */
  async hazards() {
    const [[begun, open, taken, taking, clears], clearing] = await Promise.all([
      this.redis.hmget('hazards', 'begun', 'open', 'taken', 'taking', 'clears'),
      this.redis.hvals('clearing'),
    ])
    const underWay = clearing.reduce((sum, count) => sum + Number(count), 0)
    return {
      begun: Number(begun),
      open: Number(open),
      taken: Number(taken),
      taking: Number(taking),
      clears: Number(clears),
      clearing: underWay,
    }
  }

  /** Around a `clear`: it voids entries that writers of versions compare with. @param {() => Promise<void>} clear */
  async clearing(clear) {
    await this.redis.multi().hincrby('hazards', 'clears', 1).hincrby('clearing', this.owner, 1).exec()
    try {
      await clear()
    } finally {
      await this.redis.hincrby('clearing', this.owner, -1)
    }
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
    await this.redis.hdel('clearing', owner)
    for (const key of keys) {
      const holder = await this.redis.get(`lock:${key}`)
      if (holder?.startsWith(`${owner}/`)) await this.redis.eval(UNLOCK, 1, `lock:${key}`, holder)
    }
  }

  close() {
    this.redis.disconnect()
  }
}

/** @typedef {{ begun: number, open: number, taken: number, taking: number, clears: number, clearing: number }} Hazards */
