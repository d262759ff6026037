import { Injectable } from '@nestjs/common'
import { describe, expect, it } from 'vitest'
import { appWith, memoryCache } from '../../../test/support/cached-app.js'
import { waitFor } from '../../../test/support/wait-for.js'
import { ConfigurationError, InvalidDurationError, SerializationError } from '../../kernel/errors.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { RedisCacheService } from '../cache.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { MemoryCacheStore } from '../stores/memory.js'
import { CachePattern } from './cache-pattern.js'
import { Cacheable, type CacheableOptions } from './cacheable.decorator.js'

/** An application with one provider, whose only method is decorated with these options. */
async function appOf<Args extends unknown[]>(
  options: CacheableOptions | undefined,
  answer: (...args: Args) => unknown,
  cache = memoryCache(),
) {
  @Injectable()
  class Repository {
    calls = 0
    readonly region = 'eu'

    @Cacheable(options)
    async find(...args: Args): Promise<unknown> {
      this.calls++
      return answer(...args)
    }
  }
  const app = await appWith([Repository], { cache }).compile()
  return { cache, repository: app.get(Repository) }
}

describe('@Cacheable', () => {
  it('runs the method for the first call and answers the others from the cache', async () => {
    const { cache, repository } = await appOf(
      { ttl: 300, keyGenerator: (tenant: string, id: string) => `customer:${tenant}:${id}` },
      (tenant: string, id: string) => ({ tenant, id }),
    )
    expect(await repository.find('t1', '42')).toEqual({ tenant: 't1', id: '42' })
    expect(await repository.find('t1', '42')).toEqual({ tenant: 't1', id: '42' })
    expect(await repository.find('t1', '43')).toEqual({ tenant: 't1', id: '43' })
    expect(repository.calls).toBe(2)
    expect(await cache.get('customer:t1:42')).toEqual({ tenant: 't1', id: '42' })
    expect(await cache.ttl('customer:t1:42')).toBeCloseTo(300, -0.5)
  })

  it('runs the method once for callers who come together', async () => {
    const { repository } = await appOf({}, (id: number) => id * 2)
    expect(await Promise.all([repository.find(4), repository.find(4), repository.find(4)])).toEqual([8, 8, 8])
    expect(repository.calls).toBe(1)
  })

  it('takes the TTL from the result and the arguments', async () => {
    const { cache, repository } = await appOf(
      {
        keyGenerator: (code: string) => `country:${code}`,
        ttl: (country: { isActive: boolean }, code: string) => (country.isActive && code === 'BD' ? '24h' : 300),
      },
      (code: string) => ({ isActive: code !== 'XX' }),
    )
    await repository.find('BD')
    await repository.find('XX')
    expect(await cache.ttl('country:BD')).toBeCloseTo(86_400, -1)
    expect(await cache.ttl('country:XX')).toBeCloseTo(300, -1)
  })

  it('takes the TTL from a preset', async () => {
    const { cache, repository } = await appOf({ preset: CachePattern.LOOKUP, keyGenerator: () => 'countries' }, () => [
      'BD',
    ])
    await repository.find()
    expect(await cache.ttl('countries')).toBeCloseTo(7_200, -1)
  })

  it('tags with a list or with a function of the result', async () => {
    const fixed = await appOf({ keyGenerator: () => 'a', tags: ['x', 'y'] }, () => 1)
    await fixed.repository.find()
    expect((await fixed.cache.lookup('a')).tags).toEqual(['x', 'y'])

    const dynamic = await appOf(
      {
        keyGenerator: () => 'a',
        tags: (result: { owner: string }, id: number) => [`owner:${result.owner}`, `id:${id}`],
      },
      (id: number) => ({ owner: 'o', id }),
    )
    await dynamic.repository.find(1)
    expect((await dynamic.cache.lookup('a')).tags).toEqual(['owner:o', 'id:1'])
    await dynamic.cache.invalidateByTag('owner:o')
    await dynamic.repository.find(1)
    expect(dynamic.repository.calls).toBe(2)
  })

  it('does not use the cache where the condition says no', async () => {
    const { cache, repository } = await appOf(
      { keyGenerator: (id: number) => `a:${id}`, condition: (id: number) => id > 0 },
      (id: number) => id,
    )
    await repository.find(-1)
    await repository.find(-1)
    expect(repository.calls).toBe(2)
    expect(await cache.has('a:-1')).toBe(false)
  })

  it('does not store what `unless` names, and answers it', async () => {
    const { repository } = await appOf(
      { unless: (result: unknown[], page: number) => result.length === 0 && page === 1 },
      (_page: number): unknown[] => [],
    )
    expect(await repository.find(1)).toEqual([])
    await repository.find(1)
    expect(repository.calls).toBe(2)
    await repository.find(2)
    await repository.find(2)
    expect(repository.calls).toBe(3)
  })

  it.each([null, undefined])('does not store %s, and asks neither `ttl` nor `tags` about it', async (nothing) => {
    const asked: string[] = []
    const { repository } = await appOf(
      {
        ttl: () => (asked.push('ttl'), 60),
        tags: () => (asked.push('tags'), []),
      },
      () => nothing,
    )
    expect(await repository.find()).toBe(nothing)
    expect(await repository.find()).toBe(nothing)
    expect(repository.calls).toBe(2)
    expect(asked).toEqual([])
  })

  it('stores null with `cacheNull`, for that long, and still asks no callback', async () => {
    const { cache, repository } = await appOf(
      {
        cacheNull: '30s',
        keyGenerator: () => 'a',
        ttl: () => {
          throw new Error('asked')
        },
      },
      () => null,
    )
    expect(await repository.find()).toBeNull()
    expect(await repository.find()).toBeNull()
    expect(repository.calls).toBe(1)
    expect(await cache.ttl('a')).toBeCloseTo(30, -0.5)
  })

  it.each([false, 0, ''])('stores %j as any other value', async (value) => {
    const { repository } = await appOf({}, () => value)
    expect(await repository.find()).toBe(value)
    expect(await repository.find()).toBe(value)
    expect(repository.calls).toBe(1)
  })

  it('serves a result within its grace while one caller loads anew', async () => {
    const clock = new FakeClock()
    const cache = new RedisCacheService(new MemoryCacheStore(new MemoryHub({ clock })), { jitter: 0 }, { clock })
    let calls = 0
    const { repository } = await appOf({ keyGenerator: () => 'a', ttl: 10, grace: '1m' }, () => ++calls, cache)
    expect(await repository.find()).toBe(1)
    await clock.advance(11_000)
    expect(await repository.find()).toBe(1)
    await waitFor('the refresh', async () => (await cache.get('a')) === 2)
    expect(await repository.find()).toBe(2)
    expect(repository.calls).toBe(2)
  })

  it('keeps out of L1, for everybody, with `l1: false`', async () => {
    const { cache, repository } = await appOf({ keyGenerator: () => 'a', l1: false }, () => 1)
    for (let call = 0; call < 3; call++) expect(await repository.find()).toBe(1)
    for (let read = 0; read < 2; read++) expect((await cache.lookup('a')).level).toBe('l2')
    expect(cache.getStatistics()).toMatchObject({ l1: { hits: 0 }, l2: { hits: 4, misses: 1 } })
    expect(repository.calls).toBe(1)
  })

  it('is answered from L1, by default and for as long as `l1` says', async () => {
    const clock = new FakeClock()
    const cache = new RedisCacheService(new MemoryCacheStore(new MemoryHub({ clock })), { jitter: 0 }, { clock })
    const levelsOf = async (l1: CacheableOptions['l1'], key: string) => {
      const { repository } = await appOf({ keyGenerator: () => key, ttl: '5m', l1 }, () => 1, cache)
      for (let call = 0; call < 2; call++) await repository.find()
      const levels = [(await cache.lookup(key)).level]
      await clock.advance(11_000)
      levels.push((await cache.lookup(key)).level)
      expect(repository.calls).toBe(1)
      return levels
    }
    expect(await levelsOf(undefined, 'a')).toEqual(['l1', 'l1'])
    expect(await levelsOf({ ttl: '10s' }, 'b')).toEqual(['l1', 'l2'])
  })

  it('passes on what the method throws, without a second call and without storing', async () => {
    const { repository } = await appOf({}, () => {
      throw new Error('no such customer')
    })
    await expect(repository.find()).rejects.toThrow('no such customer')
    expect(repository.calls).toBe(1)
  })

  it.each(['ttl', 'tags', 'unless'] as const)('passes on what `%s` throws, without a second call', async (name) => {
    const { repository } = await appOf(
      {
        [name]: () => {
          throw new Error('broken callback')
        },
      },
      () => 1,
    )
    await expect(repository.find()).rejects.toThrow('broken callback')
    expect(repository.calls).toBe(1)
  })

  it.each(['keyGenerator', 'condition'] as const)('passes on what `%s` throws, without a call', async (name) => {
    const { repository } = await appOf(
      {
        [name]: () => {
          throw new Error('broken callback')
        },
      },
      () => 1,
    )
    await expect(repository.find()).rejects.toThrow('broken callback')
    expect(repository.calls).toBe(0)
  })

  it('shows callbacks the instance as `this`', async () => {
    const seen: unknown[] = []
    const note = <T>(value: T) =>
      function (this: unknown): T {
        seen.push(this)
        return value
      }
    const { repository } = await appOf(
      { ttl: note(60), tags: note(['t']), keyGenerator: note('a'), condition: note(true), unless: note(false) },
      () => 1,
    )
    await repository.find()
    expect(seen).toHaveLength(5)
    expect(seen.every((each) => each === repository)).toBe(true)
  })

  it('makes a key of class, method and arguments when it is given none', async () => {
    const { repository } = await appOf({}, (...ids: unknown[]) => ids.length)
    await repository.find(new Map([['a', 1]]))
    await repository.find(new Map([['b', 1]]))
    await repository.find({ a: 1, b: 2 })
    await repository.find({ b: 2, a: 1 })
    expect(repository.calls).toBe(3)
  })

  it('refuses arguments that no key can be made of, before the method runs', async () => {
    const { repository } = await appOf({}, (_: unknown) => 1)
    await expect(repository.find(() => 1)).rejects.toThrow(SerializationError)
    expect(repository.calls).toBe(0)
  })

  it('leaves the options as they were given', async () => {
    const tags = Object.freeze(['x'])
    const { cache, repository } = await appOf(Object.freeze({ keyGenerator: () => 'a', tags }), () => 1)
    await repository.find()
    expect((await cache.lookup('a')).tags).toEqual(['x'])
  })

  it.each<[string, object, unknown]>([
    ['a grace of 0', { grace: 0 }, InvalidDurationError],
    ['a TTL and a preset', { ttl: 60, preset: CachePattern.QUERY }, ConfigurationError],
    ['a TTL of zero', { ttl: 0 }, InvalidDurationError],
    ['a `cacheNull` of true', { cacheNull: true }, InvalidDurationError],
    ['a preset that does not exist', { preset: 'forever' }, ConfigurationError],
    ['an option of another decorator', { key: () => 'a' }, ConfigurationError],
    ['an `l1` of true', { l1: true }, ConfigurationError],
    ['an `l1` without a TTL', { l1: {} }, InvalidDurationError],
    ['an `l1` that nobody knows', { l1: { ttl: 5, values: 'shared' } }, ConfigurationError],
    ['an `l1` for no time', { l1: { ttl: 0 } }, InvalidDurationError],
    ['a key that is no function', { keyGenerator: 'a' }, ConfigurationError],
    ['a tag that is no list', { tags: 'a' }, ConfigurationError],
    ['an empty connection', { connection: '' }, ConfigurationError],
  ])('refuses %s at decoration', (_, options, error) => {
    expect(() => Cacheable(options)).toThrow(error as typeof ConfigurationError)
  })

  it('accepts undefined for every option', () => {
    const names = [
      'ttl',
      'preset',
      'keyGenerator',
      'tags',
      'condition',
      'unless',
      'grace',
      'l1',
      'cacheNull',
      'connection',
    ]
    expect(() => Cacheable(Object.fromEntries(names.map((name) => [name, undefined])))).not.toThrow()
  })

  it('does not compile on a method that answers no promise', () => {
    class Repository {
      // @ts-expect-error -- a synchronous method
      @Cacheable()
      find(): number {
        return 1
      }
    }
    expect(new Repository().find()).toBeInstanceOf(Promise)
  })
})
