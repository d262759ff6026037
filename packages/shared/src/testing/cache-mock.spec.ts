import { describe, expect, it, vi } from 'vitest'
import { appWith } from '../../test/support/cached-app.js'
import { RedisCacheService } from '../cache/cache.js'
import { RedisCache } from '../cache/operations.js'
import { Cacheable } from '../cache/nest/cacheable.decorator.js'
import { createCacheMock } from './cache-mock.js'

interface Product {
  id: string
}

/** Cache-aside, without a framework. */
class ProductService {
  constructor(
    private readonly cacheService: RedisCacheService,
    private readonly findOne: (id: string) => Promise<Product>,
  ) {}

  async getProduct(tenantId: string, id: string): Promise<Product> {
    const key = `product:${tenantId}:${id}`
    const cached = await this.cacheService.get<Product>(key)
    if (cached) return cached
    const product = await this.findOne(id)
    await this.cacheService.set(key, product, 300)
    return product
  }
}

describe('the mock of the cache', () => {
  it('answers what it is told to, and knows what it was asked', async () => {
    const cacheService = createCacheMock(vi)
    const findOne = vi.fn()
    cacheService.get.mockResolvedValue({ id: '1' })
    expect(await new ProductService(cacheService, findOne).getProduct('tenant-1', '1')).toEqual({ id: '1' })
    expect(cacheService.get).toHaveBeenCalledWith('product:tenant-1:1')
    expect(cacheService.get.mock.calls).toEqual([['product:tenant-1:1']])
    expect(findOne).not.toHaveBeenCalled()
  })

  it('misses when it is told nothing', async () => {
    const cacheService = createCacheMock(vi)
    const product = { id: '1' }
    const service = new ProductService(cacheService, vi.fn().mockResolvedValue(product))
    expect(await service.getProduct('tenant-1', '1')).toBe(product)
    expect(cacheService.set).toHaveBeenCalledWith('product:tenant-1:1', product, 300)
  })

  it('calls loaders, so that a service under test gets its data', async () => {
    const cache = createCacheMock(vi)
    expect(
      await cache.getOrSet('a', ({ key, signal, stale, setTtl, addTags, skip }) => {
        setTtl(5)
        addTags('x')
        skip()
        return [`loaded ${key}`, signal instanceof AbortSignal && !signal.aborted, stale]
      }),
    ).toEqual(['loaded a', true, undefined])
    expect(await cache.getOrSetMany([1], { key: String, load: async (_, { signal }) => [signal.aborted] })).toEqual([
      false,
    ])
    const key = (id: number) => `n:${id}`
    expect(await cache.getOrSetMany([1, 2], { key, load: async (ids) => ids.map((id) => id * 2) })).toEqual([2, 4])
    expect(await cache.getOrSetMany([1, 2], { key, load: async () => new Map([[2, 'two']]) })).toEqual([null, 'two'])
    expect(await cache.getOrSetMany([], { key, load: async () => Promise.reject(new Error('called')) })).toEqual([])
  })

  it('has every method of the service, as a mock function of its own', async () => {
    const cache = createCacheMock(vi)
    // TypeScript's `private` is not JavaScript's: these are no part of the service.
    const inner = ['constructor', 'read', 'look', 'plan', 'refresh', 'storedNames', 'entry', 'write']
    const names = [RedisCacheService.prototype, RedisCache.prototype].flatMap((each) =>
      Object.getOwnPropertyNames(each),
    )
    const methods = names.filter((name) => !inner.includes(name))
    expect(methods.length).toBeGreaterThan(20)
    for (const name of methods) expect(cache[name as keyof RedisCacheService], name).toSatisfy(vi.isMockFunction)
    expect(cache.forTenant('t')).toBe(cache)
    expect(await cache.invalidateAround({ keys: ['k'] }, async () => 'done')).toBe('done')
    expect(await cache.delete('a')).toBe(0)
    expect(cache.getStatistics()).toMatchObject({ hits: 0, misses: 0, hitRate: 0 })
    expect(createCacheMock(vi).delete).not.toHaveBeenCalled()
  })

  it('stands in for the service in an application, decorators included', async () => {
    class Products {
      @Cacheable({ keyGenerator: (id: string) => `product:${id}` })
      async find(id: string): Promise<Product> {
        return { id }
      }
    }
    const cache = createCacheMock(vi)
    expect(cache).toBeInstanceOf(RedisCacheService)
    const app = await appWith([Products]).overrideProvider(RedisCacheService).useValue(cache).compile()
    expect(await app.get(Products).find('1')).toEqual({ id: '1' })
    expect(cache.getOrSet).toHaveBeenCalledTimes(1)
    cache.getOrSet.mockResolvedValue({ id: 'cached' })
    expect(await app.get(Products).find('1')).toEqual({ id: 'cached' })
  })
})
