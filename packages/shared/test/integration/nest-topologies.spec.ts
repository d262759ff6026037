import { Injectable, Logger, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { currentLock, Locked } from '../../src/lock/index.js'
import {
  Cacheable,
  CacheEvict,
  RedisCacheModule,
  type RedisCacheModuleOptions,
  RedisCacheService,
} from '../../src/module/cache-entry.js'
import { RateLimiterService } from '../../src/rate-limit/index.js'
import { type RedisCluster, startCluster } from '../support/redis-cluster.js'
import { type RedisSentinels, startSentinel } from '../support/redis-sentinel.js'
import { waitFor } from '../support/wait-for.js'

@Injectable()
class Customers {
  calls = 0

  @Cacheable({
    keyGenerator: (id: number) => `customer:${id}`,
    ttl: 600,
    tags: (_name, id: number) => [`odd:${id % 2}`],
  })
  async find(id: number): Promise<string> {
    this.calls++
    return `customer ${id}`
  }

  @CacheEvict({ pattern: () => 'customer:*' })
  async removeAll(): Promise<void> {}

  @CacheEvict({ tags: (rest: number) => [`odd:${rest}`], hold: true })
  async changeEvery(_rest: number): Promise<void> {}
}

@Injectable()
class Numbers {
  @Locked({ key: (id: number) => `lock:number:${id}` })
  async next(_id: number): Promise<bigint> {
    return currentLock()!.fence
  }
}

@Module({ providers: [Customers, Numbers] })
class CustomersModule {}

const IDS = Array.from({ length: 20 }, (_, id) => id)
const apps: { close(): Promise<void> }[] = []

async function boot(options: RedisCacheModuleOptions) {
  const imports = [RedisCacheModule.forRoot({ required: true, commandTimeout: '10s', ...options }), CustomersModule]
  const app = await Test.createTestingModule({ imports }).compile()
  apps.push(app)
  await app.init()
  const [customers, cache] = [app.get(Customers), app.get(RedisCacheService)]
  return {
    customers,
    numbers: app.get(Numbers),
    cached: async () => (await cache.getMany(IDS.map((id) => `customer:${id}`))).filter(Boolean).length,
  }
}

beforeEach(() => {
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  vi.restoreAllMocks()
})

describe('an application on a Cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 })
  }, 60_000)
  afterAll(() => cluster?.stop())

  it('caches, and evicts by tag, under a hold and by pattern, on every master', async () => {
    const at = { cluster: { nodes: cluster.nodes } }
    const [one, other] = [await boot(at), await boot(at)]
    for (const id of IDS) await one.customers.find(id)
    await waitFor('the fills', async () => (await other.cached()) === IDS.length)
    for (const id of IDS) expect(await other.customers.find(id)).toBe(`customer ${id}`)
    expect(other.customers.calls).toBe(0)
    // L1 of another process may be a push behind (P2).
    await other.customers.changeEvery(1)
    await waitFor('the eviction by tag', async () => (await one.cached()) === IDS.length / 2)
    await one.customers.removeAll()
    await waitFor('the eviction by pattern', async () => (await other.cached()) === 0)
  })

  it('locks on every master, and warns at boot of one that evicts', async () => {
    const at = { cluster: { nodes: cluster.nodes } }
    const warn = vi.mocked(Logger.prototype.warn)
    const [one, other] = [await boot(at), await boot(at)]
    expect(warn).not.toHaveBeenCalled()
    for (const id of IDS) {
      const [first, second] = [await one.numbers.next(id), await other.numbers.next(id)]
      expect(second > first).toBe(true)
    }
    const last = cluster.servers.at(-1)!
    await last.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    await boot(at)
    expect(warn.mock.calls).toEqual([[expect.stringContaining(`locks live on ${last.host}:${last.port}, `)]])
    await last.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  })

  it('limits on every master, also where the first request is what connects', async () => {
    const limiters: RateLimiterService[] = []
    for (let i = 0; i < 2; i++) {
      const at = { cluster: { nodes: cluster.nodes }, commandTimeout: '10s', rateLimit: { timeout: '10s' } }
      const app = await Test.createTestingModule({ imports: [RedisCacheModule.forRoot(at)] }).compile()
      apps.push(await app.init())
      limiters.push(app.get(RateLimiterService))
    }
    const once = [{ limit: 1, window: '1h' }] as const
    const consumed = (limiter: RateLimiterService) =>
      Promise.all(IDS.map((id) => limiter.consume(once, { user: 'u1', tenant: `t${id}` })))
    const [first, second] = [await consumed(limiters[0]!), await consumed(limiters[1]!)]
    const outcomes = [...first, ...second].map(({ allowed, source }) => `${allowed} ${source}`)
    expect(new Set(outcomes.slice(0, IDS.length))).toEqual(new Set(['true redis']))
    expect(new Set(outcomes.slice(IDS.length))).toEqual(new Set(['false redis']))
  })
})

describe('an application with Sentinels', () => {
  // Servers of its own for each: Sentinels that have just seen to one failover refuse the next for a while.
  let sentinels: RedisSentinels
  beforeEach(async () => {
    sentinels = await startSentinel({ sentinelPassword: 'of-the-sentinels', password: 'of-the-servers' })
  }, 60_000)
  afterEach(() => sentinels?.stop())

  it.each([
    ['flush', 0],
    ['trust', IDS.length],
  ] as const)(
    'goes on with the new master; its entries are served or not: %s',
    async (onFailover, kept) => {
      const { name, nodes } = sentinels
      const app = await boot({
        sentinels: { nodes, name, password: 'of-the-sentinels' },
        password: 'of-the-servers',
        onFailover,
      })
      for (const id of IDS) await app.customers.find(id)
      await waitFor('the fills', async () => (await app.cached()) === IDS.length)
      await sentinels.replicated()
      const promoted = await sentinels.failover()
      await waitFor(
        'a fill on the new master',
        async () => {
          await app.customers.find(1_000)
          return (await promoted.command('EXISTS', 'vextrus:customer:1000')) === 1
        },
        20_000,
      )
      expect(await app.cached()).toBe(kept)
    },
    60_000,
  )
})
