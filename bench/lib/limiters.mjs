import { createRequire } from 'node:module'
import { Redis } from 'ioredis6'
import { openLimiterOn } from './ours.mjs'

// Both are CommonJS, and one of them is only found so.
const require = createRequire(import.meta.url)
const { RateLimiterRedis, RateLimiterUnion } = require('rate-limiter-flexible')
const { ThrottlerStorageRedisService } = require('@nest-lab/throttler-storage-redis')

/** What everybody may do, for as long as a race lasts. */
export const PLENTY = 1_000_000

/** What a request is asked about: one rule, three windows of its user, or its user, its tenant and its route. */
export const RULES = {
  one: [{ name: 'minute', seconds: 60, by: 'user' }],
  windows: [
    { name: 'second', seconds: 1, by: 'user' },
    { name: 'minute', seconds: 60, by: 'user' },
    { name: 'hour', seconds: 3_600, by: 'user' },
  ],
  scopes: [
    { name: 'user', seconds: 60, by: 'user' },
    { name: 'tenant', seconds: 60, by: 'tenant' },
    { name: 'route', seconds: 60, by: 'route' },
  ],
}

/**
 * Ours and the peers, each on a connection of its own to the same ioredis as ours. `open(port, { rules, limit })` answers `ask(ids)`, what tells
 * from its answer, or from what it rejected with, whether the request may pass, and `close()`.
 *
 * rate-limiter-flexible counts several windows with its union, and other ids with a limiter each: three commands at once. The guard of
 * `@nestjs/throttler` asks its storage for one rule after the other. Both are also raced with the auto-pipelining of ioredis, which neither asks for.
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

/** Those that remember who is over the limit. */
export const remembering = {
  vextrus: ours('token-bucket'),
  'rate-limiter-flexible 11, inMemoryBlockOnConsumed': flexible({}, true),
}

/** @param denyCache false: asks Redis also for those who are over the limit */
export function ours(algorithm, denyCache) {
  return async (port, { rules, limit = PLENTY }) => {
    const { limiter, close } = await openLimiterOn({ host: '127.0.0.1', port }, 'vextrus:', { denyCache })
    const list = rules.map(({ name, seconds, by }) => ({
      name: `${name}-${limit}`,
      limit,
      window: seconds * 1_000,
      algorithm,
      by,
    }))
    return {
      ask: (ids) => limiter.consume(list, ids),
      passes({ allowed, source }) {
        if (source === 'redis' || source === 'deny-cache') return allowed
        throw new Error(`Redis gave no answer in time, and the race is another: ${source}`)
      },
      close,
    }
  }
}

function flexible(client, inMemoryBlock = false) {
  return async (port, { rules, limit = PLENTY }) => {
    const storeClient = await connect(port, client)
    const own = rules.map(
      ({ name, seconds }) =>
        new RateLimiterRedis({
          storeClient,
          keyPrefix: `${name}-${limit}`,
          points: limit,
          duration: seconds,
          ...(inMemoryBlock ? { inMemoryBlockOnConsumed: limit } : {}),
        }),
    )
    const [{ by }] = rules
    const limiter = own.length === 1 ? own[0] : new RateLimiterUnion(...own)
    const apart = rules.some((rule) => rule.by !== by)
    return {
      ask: apart
        ? (ids) => Promise.all(own.map((each, i) => each.consume(ids[rules[i].by])))
        : (ids) => limiter.consume(ids[by]),
      passes(answer) {
        if (answer instanceof Error) throw answer
        // It rejects with how the limit stands, and the union with that of the rules that refuse.
        const [standing] = answer.consumedPoints === undefined ? Object.values(answer) : [answer]
        return standing.consumedPoints > 0 && standing.consumedPoints <= limit
      },
      close: async () => storeClient.disconnect(),
    }
  }
}

function throttler(client) {
  return async (port, { rules, limit = PLENTY }) => {
    const { storage, close } = await nestLabStorage(port, client)
    const increment = ({ name, seconds, by }, ids) =>
      storage.increment(ids[by], seconds * 1_000, limit, seconds * 1_000, `${name}-${limit}`)
    const [only] = rules
    return {
      ask:
        rules.length === 1
          ? (ids) => increment(only, ids)
          : async (ids) => {
              let answer
              for (const rule of rules) {
                answer = await increment(rule, ids)
                if (answer.isBlocked) break
              }
              return answer
            },
      passes(answer) {
        if (answer instanceof Error) throw answer
        return !answer.isBlocked
      },
      close,
    }
  }
}

/** The storage of `@nest-lab`, on the same ioredis as all. */
export async function nestLabStorage(port, options = {}) {
  const redis = await connect(port, options)
  const storage = new ThrottlerStorageRedisService({ lazyConnect: true })
  // Of a client whose class is not that of the ioredis that it finds it makes one of its own; that one never connects.
  storage.redis = redis
  return { storage, close: async () => redis.disconnect() }
}

async function connect(port, options) {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, enableOfflineQueue: false, ...options })
  await client.connect()
  return client
}
