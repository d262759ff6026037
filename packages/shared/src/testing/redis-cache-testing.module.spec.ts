import { Injectable, Logger } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RedisCacheService } from '../cache/cache.js'
import { CachePattern } from '../cache/nest/cache-pattern.js'
import { CacheService } from '../cache/nest/cache.service.js'
import { Cacheable } from '../cache/nest/cacheable.decorator.js'
import {
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
  RedisLockService,
  RedisSemaphore,
} from '../lock/index.js'
import { getVextrusToken } from '../nest/tokens.js'
import type { MemoryCacheStore } from '../cache/stores/memory.js'
import { CacheRuntime } from '../module/cache-runtime.js'
import { RateLimiterService } from '../rate-limit/index.js'
import { CacheProbe } from './cache-probe.js'
import { createCacheMock } from './cache-mock.js'
import { FakeClock } from './fake-clock.js'
import { RedisCacheTestingModule, type RedisCacheTestingOptions } from './redis-cache-testing.module.js'

@Injectable()
class Products {
  loads = 0

  constructor(private readonly cache: RedisCacheService) {}

  get(id: string): Promise<string> {
    const load = async () => `product ${id}, load ${++this.loads}`
    return this.cache.getOrSet(`product:${id}`, load, { ttl: '5m', tags: ['products', `p:${id}`] })
  }

  @Cacheable({ ttl: '1m', keyGenerator: () => 'top' })
  async top(): Promise<string[]> {
    return [`top, load ${++this.loads}`]
  }
}

async function testing(options?: RedisCacheTestingOptions) {
  const imports = [RedisCacheTestingModule.forRoot(options)]
  const app = await Test.createTestingModule({ imports, providers: [Products] }).compile()
  await app.init()
  return { app, products: app.get(Products), cache: app.get(RedisCacheService), probe: app.get(CacheProbe) }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the testing module', () => {
  it('runs the real services in memory, without a word', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn')
    const { app, products, cache } = await testing()
    expect(await products.get('1')).toBe('product 1, load 1')
    expect(await products.get('1')).toBe('product 1, load 1')
    expect(await products.top()).toEqual(await products.top())
    expect(products.loads).toBe(2)
    await cache.invalidateByTag('products')
    expect(await products.get('1')).toBe('product 1, load 3')
    await app.get(CacheService).set('currency:BDT', 'Taka', CachePattern.LOOKUP)
    expect(await cache.ttl('currency:BDT')).toBeCloseTo(7_200, -1)
    expect(warn).not.toHaveBeenCalled()
    await app.close()
  })

  it('lives by the clock it is given', async () => {
    const clock = new FakeClock()
    const { products, probe } = await testing({ clock })
    await products.get('1')
    await clock.advance('4m')
    await probe.expectHit('product:1', { ttl: 60 })
    expect(await products.get('1')).toBe('product 1, load 1')
    await clock.advance('1m')
    expect(await products.get('1')).toBe('product 1, load 2')
  })

  it('has L1 as in production, and its clock ends what lies there', async () => {
    const clock = new FakeClock()
    const { products, cache, probe } = await testing({ clock, l1: { ttl: '10s' } })
    const level = async () => (await cache.lookup('product:1')).level
    await products.get('1')
    await clock.settle()
    expect([await level(), await level()]).toEqual(['l2', 'l1'])
    await clock.advance('9s')
    expect(await level()).toBe('l1')
    await clock.advance('2s')
    expect([await level(), await level()]).toEqual(['l2', 'l1'])
    await probe.expectHit('product:1', { ttl: 289 })
    await clock.advance('5m')
    await probe.expectMiss('product:1')
    expect(await level()).toBeNull()
  })

  it('can do without L1', async () => {
    const { products, cache } = await testing({ l1: false })
    for (let read = 0; read < 3; read++) await products.get('1')
    expect(cache.getStatistics().l1).toEqual({ hits: 0, misses: 0 })
  })

  it('keeps two applications apart', async () => {
    const [one, two] = [await testing(), await testing()]
    await one.products.get('1')
    await two.probe.expectMiss('product:1')
  })

  it('keeps applications apart that are made from one `forRoot`', async () => {
    const imports = [RedisCacheTestingModule.forRoot()]
    const compile = () => Test.createTestingModule({ imports, providers: [Products] }).compile()
    const [one, two] = await Promise.all([compile(), compile()])
    await one.get(Products).get('1')
    await one.get(CacheProbe).expectHit('product:1')
    await two.get(CacheProbe).expectMiss('product:1')
  })

  it('takes the options of a cache, and a name', async () => {
    const { app } = await testing({ name: undefined, presets: { [CachePattern.QUERY]: '10s' }, defaultTtl: undefined })
    expect(app.get(CacheService).getTTL(CachePattern.QUERY)).toBe(10)

    const named = await Test.createTestingModule({
      imports: [RedisCacheTestingModule.forRoot({ name: 'b' })],
    }).compile()
    await named.get<RedisCacheService>(getVextrusToken(RedisCacheService, 'b')).set('k', 1)
    await named.get<CacheProbe>(getVextrusToken(CacheProbe, 'b')).expectHit('k', { value: 1 })
  })

  it('can be given a mock instead', async () => {
    const cache = createCacheMock(vi)
    const app = await Test.createTestingModule({ imports: [RedisCacheTestingModule.forRoot()], providers: [Products] })
      .overrideProvider(RedisCacheService)
      .useValue(cache)
      .compile()
    expect(await app.get(Products).get('1')).toBe('product 1, load 1')
    expect(cache.getOrSet).toHaveBeenCalledTimes(1)
    await app.get(CacheProbe).expectMiss('product:1')
  })
})

describe('the probe', () => {
  it('sees a hit with its value, tags and time to live, and counts nothing', async () => {
    const { products, cache, probe } = await testing({ clock: new FakeClock() })
    await products.get('1')
    cache.resetStatistics()
    expect(await probe.expectHit('product:1')).toBe('product 1, load 1')
    await probe.expectHit('product:1', { value: 'product 1, load 1', ttl: '5m', tags: ['p:1', 'products'] })
    expect(cache.getStatistics()).toMatchObject({ hits: 0, misses: 0 })
  })

  it.each([
    [{ value: 'other' }, /product 1, load 1/],
    [{ ttl: '6m' }, /expected 'product:1' to live for 360 s, but it is cached, for 300 s more/],
    [{ ttl: 299 }, /to live for 299 s/],
    [{ tags: ['products'] }, /p:1/],
  ])('complains of a hit that is not %j', async (expected, message) => {
    const { products, probe } = await testing({ clock: new FakeClock() })
    await products.get('1')
    await expect(probe.expectHit('product:1', expected)).rejects.toThrow(message)
  })

  it('looks past the memory of the application: what is in L1 and not in the store is no hit', async () => {
    const { products, cache, app, probe } = await testing()
    await products.get('1')
    await probe.expectHit('product:1')
    expect((await cache.lookup('product:1')).level).toBe('l2')
    expect((await cache.lookup('product:1')).level).toBe('l1')
    cache.resetStatistics()
    await probe.expectHit('product:1', { tags: ['products', 'p:1'] })
    expect(cache.getStatistics()).toMatchObject({ l1: { hits: 0, misses: 0 }, l2: { hits: 0, misses: 0 } })

    // What the store loses without a word is what only a look past L1 can see.
    const { store } = app.get(CacheRuntime)
    ;(store as MemoryCacheStore).pushes.remove('product:1')
    expect((await cache.lookup('product:1')).level).toBe('l1')
    await probe.expectMiss('product:1')
    await probe.expectEvicted('product:1')
  })

  it('tells evicted, expired, present and never cached from each other', async () => {
    const clock = new FakeClock()
    const { products, cache, probe } = await testing({ clock })
    const never = 'but it was never cached'
    await expect(probe.expectHit('product:1')).rejects.toThrow(`expected a hit of 'product:1', ${never}`)
    await expect(probe.expectEvicted('product:1')).rejects.toThrow(`expected 'product:1' to be evicted, ${never}`)
    await probe.expectMiss('product:1')

    await products.get('1')
    await expect(probe.expectMiss('product:1')).rejects.toThrow("expected a miss of 'product:1', but it is cached")
    await expect(probe.expectEvicted('product:1')).rejects.toThrow('but it is cached, for 300 s more')

    for (const evict of [() => cache.delete('product:1'), () => cache.invalidateByTag('p:1'), () => cache.clear()]) {
      await products.get('1')
      await probe.expectHit('product:1')
      // Into L1, and out of it.
      await products.get('1')
      expect((await cache.lookup('product:1')).level).toBe('l1')
      await evict()
      await probe.expectEvicted('product:1')
      await probe.expectMiss('product:1')
      await expect(probe.expectHit('product:1')).rejects.toThrow('but it was evicted')
    }

    await products.get('1')
    await clock.advance('301s')
    await probe.expectMiss('product:1')
    await expect(probe.expectEvicted('product:1')).rejects.toThrow('but it expired 1 s ago')
    await expect(probe.expectHit('product:1')).rejects.toThrow('but it expired 1 s ago')
  })

  it('knows of lifetimes that `touch` has changed', async () => {
    const clock = new FakeClock()
    const { cache, probe } = await testing({ clock })
    await cache.set('session:1', 'x', 60)
    await cache.touch('session:1', 120)
    await clock.advance('90s')
    await cache.delete('session:1')
    await probe.expectEvicted('session:1')
  })

  it('reads what is compressed and encrypted, of whichever tenant', async () => {
    const { cache, probe } = await testing({
      serializer: 'msgpack',
      compression: { threshold: 8, algorithm: 'gzip' },
      encryption: { keys: [{ id: 'k', secret: Buffer.alloc(32, 1) }] },
      tenancy: { required: true },
    })
    await cache.forTenant('t1').set('product:1', 'a name '.repeat(20))
    await probe.expectHit('product:t1:1', { value: 'a name '.repeat(20) })
    await cache.forTenant('t1').clear()
    await probe.expectEvicted('product:t1:1')
  })
})

describe('the locks of the testing module', () => {
  it('do not keep an application from closing whose test ends with one held', async () => {
    const imports = [RedisCacheTestingModule.forRoot({ clock: new FakeClock() })]
    const app = await Test.createTestingModule({ imports }).compile()
    await app.init()
    await app.get(RedisLockService).acquire('a')
    await app.close()
    await expect(app.get(RedisLockService).tryAcquire('b')).rejects.toThrow(LockUnavailableError)
  })

  it('are the real ones, and live by the clock that is given', async () => {
    const clock = new FakeClock()
    const imports = [RedisCacheTestingModule.forRoot({ clock, lock: { ttl: '1m' } })]
    const app = await Test.createTestingModule({ imports }).compile()
    const locks = app.get(RedisLockService)
    const first = await locks.acquire('lock:invoice-number:t1')
    const waiting = locks.acquire('lock:invoice-number:t1', 10_000, 120_000)
    await clock.advance('59s')
    expect(() => first.assertHeld()).not.toThrow()
    await clock.advance('2s')
    expect(() => first.assertHeld()).toThrow(LockLostError)
    const second = await waiting
    expect(second.fence > first.fence).toBe(true)
    expect(await locks.release(first)).toBe('not-held')
    expect(await locks.tryAcquire('lock:invoice-number:t1')).toBeNull()
    expect(await locks.release(second)).toBe('released')

    const semaphore = app.get(RedisSemaphore)
    const permit = { permits: 1, ttl: '1m', wait: 0 } as const
    await semaphore.acquire('export', permit)
    await expect(semaphore.acquire('export', permit)).rejects.toThrow(LockTimeoutError)
    await clock.advance('1m')
    expect(await semaphore.tryAcquire('export', { permits: 1 })).not.toBeNull()
  })
})

describe('the rate limits of the testing module', () => {
  const day = [{ limit: 2, window: '1d', algorithm: 'fixed-window' }] as const
  const ids = { user: 'u1' }

  it('are the real ones, and live by the clock that is given', async () => {
    const clock = new FakeClock()
    const app = await Test.createTestingModule({ imports: [RedisCacheTestingModule.forRoot({ clock })] }).compile()
    const limiter = app.get(RateLimiterService)
    const consume = async () => (await limiter.consume(day, ids)).retryAfterMs
    expect([await consume(), await consume(), await consume()]).toEqual([0, 0, 86_400_000])
    await clock.advance('23h')
    expect(await consume()).toBe(3_600_000)
    await clock.advance('1h')
    expect(await consume()).toBe(0)
    await app.close()
  })

  it('keep applications apart, and take the options of limits', async () => {
    const forRoot = () => RedisCacheTestingModule.forRoot({ rateLimit: { plan: () => ({ '*': { limit: 1 } }) } })
    const compile = () => Test.createTestingModule({ imports: [forRoot()] }).compile()
    const limiters = (await Promise.all([compile(), compile()])).map((app) => app.get(RateLimiterService))
    const allowed = async (limiter: RateLimiterService) =>
      (await limiter.consume(day, { ...ids, tenant: 't1' })).allowed
    for (const limiter of limiters) expect([await allowed(limiter), await allowed(limiter)]).toEqual([true, false])
  })
})
