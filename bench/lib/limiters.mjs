import { createRequire } from 'node:module'
import { Redis } from 'ioredis6'
import { openLimiterOn } from './ours.mjs'

// Both are CommonJS, and one of them is only found so.
const require = createRequire(import.meta.url)
const { RateLimiterRedis, RateLimiterUnion } = require('rate-limiter-flexible')
const { ThrottlerStorageRedisService } = require('@nest-lab/throttler-storage-redis')

/** What everybody may do, for as long as a race lasts. */
export const PLENTY = 1_000_000

/** One rule, and three of one request: by the second, the minute and the hour. */
const ONE = [{ name: 'minute', seconds: 60 }]
const THREE = [{ name: 'second', seconds: 1 }, ...ONE, { name: 'hour', seconds: 3_600 }]

/**
 * Ours and the peers, each on a connection of its own to the same ioredis as ours. `open(port, { rules, limit, seconds })` answers
 * `decide(user)`, true when the request may pass, and `close()`.
 *
 * rate-limiter-flexible counts three rules with its union: three commands at once. The guard of @nestjs/throttler asks its storage for one rule
 * after the other. Both are also raced with the auto-pipelining of ioredis, which neither asks for and which helps them.
 */
export const limiters = {
  vextrus: ours('token-bucket'),
  'vextrus, sliding window': ours('sliding-window'),
  'vextrus, fixed window': ours('fixed-window'),
  'rate-limiter-flexible 11': flexible({}),
  'rate-limiter-flexible 11, auto-pipelining': flexible({ enableAutoPipelining: true }),
  '@nest-lab/throttler-storage-redis 1.2': throttler({}),
  '@nest-lab/throttler-storage-redis 1.2, auto-pipelining': throttler({ enableAutoPipelining: true }),
}

/** As `limiters`, with the memory that they keep of those who are over the limit. */
export const remembering = {
  vextrus: ours('token-bucket'),
  'rate-limiter-flexible 11, inMemoryBlockOnConsumed': flexible({}, true),
}

/** @param denyCache false: asks Redis also for those who are over the limit */
export function ours(algorithm, denyCache) {
  return async (port, { rules = 1, limit = PLENTY, seconds }) => {
    const { limiter, close } = await openLimiterOn({ host: '127.0.0.1', port }, 'vextrus:', { denyCache })
    const list = rulesOf(rules, seconds).map(({ name, seconds: window }) => ({
      name: `${name}-${limit}`,
      limit,
      window: window * 1_000,
      algorithm,
    }))
    const decide = async (user) => {
      const { allowed, source } = await limiter.consume(list, { user })
      if (source === 'local' || source === 'unavailable')
        throw new Error('the machine is too busy: Redis did not answer')
      return allowed
    }
    return { decide, close }
  }
}

function flexible(client, inMemoryBlock = false) {
  return async (port, { rules = 1, limit = PLENTY, seconds }) => {
    const storeClient = await connect(port, client)
    const own = rulesOf(rules, seconds).map(
      (rule) =>
        new RateLimiterRedis({
          storeClient,
          keyPrefix: `${rule.name}-${limit}`,
          points: limit,
          duration: rule.seconds,
          ...(inMemoryBlock ? { inMemoryBlockOnConsumed: limit } : {}),
        }),
    )
    const limiter = own.length === 1 ? own[0] : new RateLimiterUnion(...own)
    const decide = async (user) => {
      try {
        await limiter.consume(user)
        return true
      } catch (refusal) {
        if (refusal instanceof Error) throw refusal
        return false
      }
    }
    return { decide, close: async () => storeClient.disconnect() }
  }
}

function throttler(client) {
  return async (port, { rules = 1, limit = PLENTY, seconds }) => {
    const redis = await connect(port, client)
    const storage = new ThrottlerStorageRedisService({ lazyConnect: true })
    // It makes a client itself of one whose class is not that of the ioredis which it finds; that one never connects.
    storage.redis = redis
    const list = rulesOf(rules, seconds)
    const decide = async (user) => {
      for (const rule of list) {
        const ttl = rule.seconds * 1_000
        const { isBlocked } = await storage.increment(user, ttl, limit, ttl, `${rule.name}-${limit}`)
        if (isBlocked) return false
      }
      return true
    }
    return { decide, close: async () => redis.disconnect() }
  }
}

function rulesOf(count, seconds) {
  const rules = count === 1 ? ONE : THREE
  return seconds === undefined ? rules : rules.map((rule) => ({ ...rule, seconds }))
}

async function connect(port, options) {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, enableOfflineQueue: false, ...options })
  await client.connect()
  return client
}
