// The types of the cache as its users see them. What must not compile stands under `@ts-expect-error`, which fails when it does.
import {
  type AuditStatistics,
  type CacheStatistics,
  CachePattern,
  CacheService,
  type Lookup,
  RedisCacheService,
} from '@vextrus/shared/cache'
import { expectTypeOf } from 'vitest'

interface Product {
  readonly id: string
  readonly price: number
}

declare const cache: RedisCacheService
declare const presets: CacheService
declare const product: Product

export async function reads(): Promise<void> {
  expectTypeOf(await cache.get<Product>('product:1')).toEqualTypeOf<Product | null>()
  expectTypeOf(await cache.getMany<Product>(['product:1'])).toEqualTypeOf<(Product | null)[]>()
  expectTypeOf(await cache.lookup<Product>('product:1')).toEqualTypeOf<Lookup<Product>>()
  expectTypeOf(await cache.has('product:1')).toEqualTypeOf<boolean>()
  expectTypeOf(await cache.ttl('product:1')).toEqualTypeOf<number | null>()
  expectTypeOf(cache.getStatistics()).toEqualTypeOf<CacheStatistics>()
  expectTypeOf(cache.getStatistics().audit).toEqualTypeOf<AuditStatistics | undefined>()
  expectTypeOf(cache.getStatistics().audit?.stale['≤20']).toEqualTypeOf<number | undefined>()
  // Nothing is known of a value whose type is not named.
  expectTypeOf(await cache.get('product:1')).toEqualTypeOf<unknown>()
  // @ts-expect-error a key is a string
  await cache.get(1)
}

export async function loads(): Promise<void> {
  expectTypeOf(await cache.getOrSet('product:1', () => product, 300)).toEqualTypeOf<Product>()
  expectTypeOf(await cache.getOrSet('product:1', async () => product, '5m')).toEqualTypeOf<Product>()
  // A loader that may find nothing says so in the answer.
  expectTypeOf(await cache.getOrSet('product:1', async () => product as Product | null)).toEqualTypeOf<Product | null>()
  await cache.getOrSet('product:1', async () => product, {
    ttl: (loaded) => (loaded.price > 100 ? '1m' : 300),
    tags: (loaded) => [`product:${loaded.id}`],
    cacheNull: '10s',
  })
  await cache.getOrSet('product:1', async (context) => {
    expectTypeOf(context.key).toEqualTypeOf<string>()
    context.setTtl('1m')
    context.addTags('a', 'b')
    context.skip()
    expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>()
    // What is stored may be of another release of the program.
    expectTypeOf(context.stale?.value).toEqualTypeOf<unknown>()
    return product
  })
  const { signal } = new AbortController()
  await cache.getOrSet('product:1', async () => product, { loadTimeout: { soft: '200ms', hard: 5_000 }, signal })
  await cache.getOrSet('product:1', async () => product, { loadTimeout: undefined, signal: undefined })
  await cache.getOrSet('product:1', async () => product, { l1: false })
  await cache.getOrSet('product:1', async () => product, { l1: { ttl: '10s' } })
  await cache.set('product:1', product, { l1: false })
  // @ts-expect-error L1 is on unless it is false
  await cache.getOrSet('product:1', async () => product, { l1: true })
  // @ts-expect-error an object of two times
  await cache.getOrSet('product:1', async () => product, { loadTimeout: '5s' })
  // @ts-expect-error the TTL's function gets what is loaded
  await cache.getOrSet('product:1', async () => product, { ttl: (loaded: string) => loaded.length })
  // @ts-expect-error tags are strings
  await cache.getOrSet('product:1', async () => product, { tags: [1] })
  // @ts-expect-error there is no such option
  await cache.getOrSet('product:1', async () => product, { expires: 300 })
  // @ts-expect-error a loader is a function
  await cache.getOrSet('product:1', product)
}

export async function loadsOfMany(): Promise<void> {
  const key = (id: number) => `product:${id}`
  const asMap = await cache.getOrSetMany([1, 2], { key, load: async (ids) => new Map(ids.map((id) => [id, product])) })
  expectTypeOf(asMap).toEqualTypeOf<(Product | null)[]>()
  await cache.getOrSetMany([1, 2], { key, load: async (ids) => ids.map(() => product), ttl: 60, tags: ['products'] })
  await cache.getOrSetMany([1, 2], {
    key,
    load: async (ids, { signal }) => {
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
      return ids.map(() => product)
    },
    loadTimeout: { hard: '5s' },
  })
  // @ts-expect-error one load for all that are missing: it answers a list or a Map
  await cache.getOrSetMany([1, 2], { key, load: async () => product })
}

export async function writes(): Promise<void> {
  await cache.set('product:1', product)
  await cache.set('product:1', product, 300)
  await cache.set('product:1', product, { ttl: '5m', tags: ['products'], onUnavailable: 'throw' })
  await cache.set('product:1', product, { ttl: undefined, tags: undefined })
  await cache.setWithTags('product:1', product, 300, ['products'])
  await cache.setMany([{ key: 'product:1', value: product, ttl: 60 }], { tags: ['products'] })
  expectTypeOf(await cache.delete(['product:1', 'product:2'])).toEqualTypeOf<number>()
  expectTypeOf(await cache.touch('product:1', '5m')).toEqualTypeOf<boolean>()
  await cache.invalidateByTag(['a', 'b'])
  await cache.clear()
  // @ts-expect-error a Date is not a TTL
  await cache.set('product:1', product, new Date())
  // @ts-expect-error one tag or a list of them, as strings
  await cache.invalidateByTag(7)
}

export async function presetsByName(): Promise<void> {
  await presets.set('country:BD', { code: 'BD' }, CachePattern.LOOKUP)
  expectTypeOf(await presets.get<Product>('product:1')).toEqualTypeOf<Product | null>()
  expectTypeOf(presets.getTTL(CachePattern.REPORT)).toEqualTypeOf<number>()
  // @ts-expect-error a pattern, not a TTL
  await presets.set('country:BD', {}, 7_200)
}
