import { RedisCacheService } from '../../packages/shared/dist/cache/cache.js'
import { RedisCacheStore } from '../../packages/shared/dist/cache/stores/redis.js'
import { RedisPushes } from '../../packages/shared/dist/cache/stores/redis-pushes.js'
import { JwtBlacklistService } from '../../packages/shared/dist/jwt/jwt-blacklist.js'
import { RedisJwtStore } from '../../packages/shared/dist/jwt/stores/redis.js'
import { LockEngine } from '../../packages/shared/dist/lock/lock-engine.js'
import { RedisLockService } from '../../packages/shared/dist/lock/lock.js'
import { RedisLockStore } from '../../packages/shared/dist/lock/stores/redis.js'
import { RedisPubSubService } from '../../packages/shared/dist/pubsub/pubsub.js'
import { RedisPubSubStore } from '../../packages/shared/dist/pubsub/stores/redis.js'
import { RateLimiterService } from '../../packages/shared/dist/rate-limit/rate-limiter.js'
import { RedisRateLimitStore } from '../../packages/shared/dist/rate-limit/stores/redis.js'
import { RedisConnection } from '../../packages/shared/dist/redis/connection.js'
import { Keyspace } from '../../packages/shared/dist/redis/keyspace.js'
import { SessionService } from '../../packages/shared/dist/session/session.js'
import { RedisSessionStore } from '../../packages/shared/dist/session/stores/redis.js'

/** The cache as the Nest module puts it together, tracking session included, without L1: what the races of the store are about. */
export async function openCache(port, keyPrefix) {
  return openCacheOn({ host: '127.0.0.1', port }, keyPrefix)
}

/** @param where options of a `RedisConnection` @param options of the cache; L1 only where they say so */
export async function openCacheOn(where, keyPrefix, options = {}) {
  const connection = new RedisConnection({ ...where, commandTimeout: '5s' })
  await connection.ready()
  const keyspace = new Keyspace(keyPrefix)
  const pushes = new RedisPushes(connection, keyspace, console.warn)
  pushes.start()
  const cache = new RedisCacheService(
    new RedisCacheStore(connection, keyspace, pushes, { deadlineMs: connection.commandTimeoutMs }),
    { l1: false, ...options },
  )
  const close = async () => {
    await cache.close()
    pushes.close()
    await connection.close()
  }
  return { cache, close }
}

/** The locks as the Nest module puts them together. @param where options of a `RedisConnection` */
export async function openLocksOn(where, keyPrefix) {
  const connection = new RedisConnection({ ...where, commandTimeout: '5s' })
  await connection.ready()
  const store = new RedisLockStore(connection, connection.door, new Keyspace(keyPrefix), {
    deadlineMs: connection.commandTimeoutMs,
    warn: console.warn,
  })
  const engine = new LockEngine(store)
  const close = async () => {
    await engine.close()
    store.close()
    await connection.close()
  }
  return { locks: new RedisLockService(engine), close }
}

/** The limiter as the Nest module puts it together, deny cache included. @param options of the limiter */
export async function openLimiterOn(where, keyPrefix, options = {}) {
  const connection = new RedisConnection({ ...where, commandTimeout: '10s' })
  await connection.ready()
  const store = new RedisRateLimitStore(connection, connection.door, new Keyspace(keyPrefix), {
    // So long that a busy machine does not make it decide alone, which is faster.
    timeoutMs: 5_000,
    warn: console.warn,
  })
  const limiter = new RateLimiterService(() => store, { instances: 1, ...options })
  const close = async () => {
    await limiter.close()
    store.close()
    await connection.close()
  }
  return { limiter, close }
}

/** The sessions as the Nest module puts them together. @param options of the sessions */
export async function openSessionsOn(where, keyPrefix, options = {}) {
  const connection = new RedisConnection({ ...where, commandTimeout: '5s' })
  await connection.ready()
  const store = new RedisSessionStore(connection, new Keyspace(keyPrefix), { text: options.encryption === undefined })
  return { sessions: new SessionService(() => store, options), close: () => connection.close() }
}

/**
 * The blacklist as the Nest module puts it together, tracking session included; `asked()` says how often it asked Redis.
 * @param options of the blacklist
 */
export async function openBlacklistOn(where, keyPrefix, options = {}) {
  const connection = new RedisConnection({ ...where, commandTimeout: '5s' })
  await connection.ready()
  const keyspace = new Keyspace(keyPrefix)
  // So long that a busy machine does not make it ask.
  const stalenessMs = 10_000
  const pushes = new RedisPushes(connection, keyspace, console.warn, { stalenessMs })
  pushes.start()
  const source = pushes.sourceOf(keyspace.jwt)
  const store = new RedisJwtStore(connection, source, keyspace)
  let asked = 0
  const counting = {
    changes: source,
    read: (marks) => (asked++, store.read(marks)),
    mark: (mark, end) => store.mark(mark, end),
    markBefore: (mark, second, keepMs) => store.markBefore(mark, second, keepMs),
  }
  const blacklist = new JwtBlacklistService(() => counting, options, { stalenessMs })
  while (!source.live) await new Promise((resolve) => setTimeout(resolve, 5))
  const close = async () => {
    blacklist.close()
    pushes.close()
    await connection.close()
  }
  return { blacklist, asked: () => asked, close }
}

/** The messages as the Nest module puts them together. @param options of the messages */
export async function openMessagesOn(where, keyPrefix, options = {}) {
  const connection = new RedisConnection({ ...where, commandTimeout: '10s' })
  await connection.ready()
  const store = new RedisPubSubStore(connection, connection.door, new Keyspace(keyPrefix), {
    keepMs: 600_000,
    warn: console.warn,
  })
  const messages = new RedisPubSubService(() => store, options)
  const close = async () => {
    await messages.close()
    store.close()
    await connection.close()
  }
  return { messages, close }
}
