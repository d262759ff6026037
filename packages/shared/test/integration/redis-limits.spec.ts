import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type RateLimiterOptions,
  RateLimiterService,
  type RateLimitPlan,
  type RateLimitRule,
} from '../../src/rate-limit/index.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { type RedisCluster, startCluster } from '../support/redis-cluster.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** What several processes of one Redis know of each other: refusals, refunds, plans, how many they are, and units of all tenants. */

const IDS = { tenant: 't', user: 'ann' }
const RULE: RateLimitRule = { name: 'r', limit: 2, window: '1h', algorithm: 'fixed-window' }

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A process: a limiter on connections of its own. Each test has a prefix of its own. */
async function processOn(
  server: RedisConnectionOptions,
  prefix: string,
  options: RateLimiterOptions = {},
): Promise<RateLimiterService> {
  const { store, close } = await redisLimitStore(server, prefix)
  // Longer than a busy machine takes, as its store waits: a decision that is made without Redis would spoil the count.
  const limiter = new RateLimiterService(() => store, { timeout: '5s', ...options })
  closing.push(close, () => limiter.close())
  return limiter
}

/** Uses up the rule, and waits until the process answers refusals by itself. */
async function refusedFromMemory(limiter: RateLimiterService, rule = RULE): Promise<void> {
  await limiter.consume([rule], IDS, rule.limit)
  await waitFor('a refusal from memory', async () => (await limiter.consume([rule], IDS)).source === 'deny-cache')
}

const servers: [string, () => Promise<{ options: RedisConnectionOptions; stop(): Promise<void> }>][] = [
  [
    'one server',
    async () => {
      const server = await startRedis()
      return { options: { url: server.url }, stop: () => server.stop() }
    },
  ],
  [
    'a Cluster',
    async () => {
      const cluster: RedisCluster = await startCluster({ replicas: 0 })
      return { options: { cluster: { nodes: [...cluster.nodes] } }, stop: () => cluster.stop() }
    },
  ],
]

for (const [name, start] of servers) {
  describe(`processes on ${name}`, () => {
    let server: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      server = await start()
    })
    afterAll(() => server.stop())

    it('forget refusals when another one gives back or resets', async () => {
      const [one, other] = [await processOn(server.options, 'refund'), await processOn(server.options, 'refund')]
      for (const giveBack of ['refund', 'reset'] as const) {
        await one.reset([RULE], IDS)
        await refusedFromMemory(one)
        await other[giveBack]([RULE], IDS)
        await waitFor('the news', async () => (await one.consume([RULE], IDS)).allowed)
        expect((await one.peek([RULE], IDS)).rules[0]!.remaining).toBeLessThan(2)
      }
    })

    it('hear of another plan', async () => {
      let plan: RateLimitPlan = {}
      const options: RateLimiterOptions = { plan: () => plan, planTtl: '1h' }
      const [one, other] = [await processOn(server.options, 'plan', options), await processOn(server.options, 'plan')]
      await refusedFromMemory(one)
      plan = { r: { limit: 5 } }
      await other.planChanged('t')
      await waitFor('the news', async () => (await one.consume([RULE], IDS)).allowed)
      expect((await one.peek([RULE], IDS)).rules[0]).toMatchObject({ limit: 5, remaining: 2 })
    })

    it('let no more than the limit of all tenants pass, and no less than its bound says', async () => {
      const [n, lease, limit] = [3, 8, 400]
      const all: RateLimitRule = { ...RULE, name: 'all', limit, scope: 'global', lease }
      const processes = await Promise.all(
        Array.from({ length: n }, () => processOn(server.options, 'all', { denyCache: false })),
      )
      let passed = 0
      for (let round = 0; round < 20; round++) {
        const asked = processes.flatMap((each) =>
          Array.from({ length: 10 }, (_, i) => each.consume([all], { tenant: `t${i}`, user: 'u' })),
        )
        passed += (await Promise.all(asked)).filter(({ allowed }) => allowed).length
      }
      expect(passed).toBeLessThanOrEqual(limit)
      expect(passed).toBeGreaterThanOrEqual(limit - n * (lease - 1))
      await Promise.all(processes.map((each) => each.close()))
      expect((await processes[0]!.peek([all], { user: 'u' })).rules[0]).toMatchObject({ remaining: limit - passed })
    })

    it('are apart by tenant and user, whatever these hold', async () => {
      const limiter = await processOn(server.options, 'odd', { denyCache: false })
      const odd = ['a', 'a:b', 'a}', '{', '}', '*', '\n', '\0', '\ud800', '\ud801', '\ufffd', 'é', 'x'.repeat(100_000)]
      for (const tenant of odd) {
        const answers = await Promise.all(odd.map((user) => limiter.consume([RULE], { tenant, user }, 2)))
        expect(answers.filter(({ allowed }) => !allowed)).toEqual([])
      }
      const again = await Promise.all(odd.map((user) => limiter.consume([RULE], { tenant: '\ud800', user })))
      expect(again.filter(({ allowed }) => allowed)).toEqual([])
    })

    it('share places', async () => {
      const [one, other] = [await processOn(server.options, 'places'), await processOn(server.options, 'places')]
      const entered = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? one : other).concurrency('export', { limit: 7, ttl: '1m' })),
      )
      const places = entered.filter((place) => place !== null)
      expect(places).toHaveLength(7)
      await places[0]!.release()
      expect(await one.concurrency('export', { limit: 7, ttl: '1m' })).not.toBeNull()
    })
  })
}

describe('a process whose news are cut off', () => {
  it('asks Redis meanwhile, and remembers again when it hears again', async () => {
    const redis: RedisServer = await startRedis()
    closing.push(() => redis.stop())
    const [one, other] = [await processOn({ url: redis.url }, 'cut'), await processOn({ url: redis.url }, 'cut')]
    await refusedFromMemory(one)
    const clients = String(await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub'))
      .trim()
      .split('\n')
    expect(clients.length).toBeGreaterThanOrEqual(1)
    for (const client of clients) await redis.command('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(client)![1]!)
    // Whether or not it was heard: nothing from before is answered.
    await other.refund([RULE], IDS)
    await waitFor('the loss to be noticed', async () => (await one.consume([RULE], IDS)).allowed)
    await refusedFromMemory(one)
    expect(await one.consume([RULE], IDS)).toMatchObject({ allowed: false, source: 'deny-cache' })
  })
})
