import { Injectable } from '@nestjs/common'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { appWith, memoryCache } from '../../../test/support/cached-app.js'
import { ConfigurationError, InvalidKeyError } from '../../kernel/errors.js'
import type { RedisCacheService } from '../cache.js'
import { CacheUnavailableError, TenantKeyError } from '../errors.js'
import { runAsTenant, type TenancyOptions } from '../tenancy.js'
import { CacheEvict, type CacheEvictOptions } from './cache-evict.decorator.js'

afterEach(() => {
  vi.restoreAllMocks()
})

async function appOf(
  options: CacheEvictOptions,
  work: (cache: RedisCacheService) => unknown = () => 'done',
  tenancy: TenancyOptions = {},
) {
  const cache = memoryCache()

  @Injectable()
  class Handler {
    calls = 0

    @CacheEvict(options)
    async remove(..._ids: string[]): Promise<unknown> {
      this.calls++
      return work(cache)
    }
  }
  const app = await appWith([Handler], { cache, tenancy }).compile()
  await cache.setWithTags('customer:1', 'one', 60, ['odd'])
  await cache.setWithTags('customer:2', 'two', 60, ['even'])
  await cache.setWithTags('customer:3', 'three', 60, ['odd'])
  const left = async () => {
    const keys = ['customer:1', 'customer:2', 'customer:3']
    const values = await cache.getMany(keys)
    return values.filter((value) => value !== null)
  }
  return { cache, handler: app.get(Handler), left }
}

const byId = (id: string) => `customer:${id}`

describe('@CacheEvict', () => {
  it('deletes the key after the method has run', async () => {
    const { handler, left } = await appOf({ keyGenerator: byId }, (cache) => cache.get('customer:1'))
    expect(await handler.remove('1')).toBe('one')
    expect(await left()).toEqual(['two', 'three'])
  })

  it('deletes several keys, tags, or everything', async () => {
    const keys = await appOf({ keyGenerator: (...ids: string[]) => ids.map(byId) })
    await keys.handler.remove('1', '2')
    expect(await keys.left()).toEqual(['three'])

    const tags = await appOf({ tags: (tag: string) => [tag] })
    await tags.handler.remove('odd')
    expect(await tags.left()).toEqual(['two'])

    const both = await appOf({ keyGenerator: () => 'customer:2', tags: () => ['odd'] })
    await both.handler.remove()
    expect(await both.left()).toEqual([])

    const all = await appOf({ allEntries: true })
    await all.handler.remove()
    expect(await all.left()).toEqual([])
  })

  it('evicts nothing for an empty list', async () => {
    const { handler, left } = await appOf({ keyGenerator: () => [], tags: () => [] })
    expect(await handler.remove('1')).toBe('done')
    expect(await left()).toHaveLength(3)
  })

  it('evicts nothing when the method throws', async () => {
    const { handler, left } = await appOf({ keyGenerator: byId }, () => {
      throw new Error('still has invoices')
    })
    await expect(handler.remove('1')).rejects.toThrow('still has invoices')
    expect(handler.calls).toBe(1)
    expect(await left()).toHaveLength(3)
  })

  it('evicts before the method with `beforeInvocation`, whatever comes of it', async () => {
    const seen: unknown[] = []
    const { handler, left } = await appOf({ keyGenerator: byId, beforeInvocation: true }, async (cache) => {
      seen.push(await cache.get('customer:1'))
      throw new Error('fails afterwards')
    })
    await expect(handler.remove('1')).rejects.toThrow('fails afterwards')
    expect(seen).toEqual([null])
    expect(await left()).toEqual(['two', 'three'])
  })

  it('evicts nothing where the condition says no', async () => {
    const { handler, left } = await appOf({ keyGenerator: byId, condition: (id: string) => id !== '1' })
    await handler.remove('1')
    await handler.remove('2')
    expect(await left()).toEqual(['one', 'three'])
  })

  it.each(['keyGenerator', 'tags', 'condition'] as const)(
    'does not run the method when `%s` throws: nothing is committed that could not be evicted',
    async (name) => {
      const { handler } = await appOf({
        keyGenerator: byId,
        [name]: () => {
          throw new Error('broken callback')
        },
      })
      await expect(handler.remove('1')).rejects.toThrow('broken callback')
      expect(handler.calls).toBe(0)
    },
  )

  it('deletes what matches the pattern', async () => {
    const { handler, left } = await appOf({ pattern: (...ids: string[]) => `customer:[${ids.join('')}]` })
    await handler.remove('1', '3')
    expect(await left()).toEqual(['two'])
  })

  it.each<[string, CacheEvictOptions]>([
    ['key', { keyGenerator: () => '' }],
    ['tag', { keyGenerator: byId, tags: () => ['a\nb'] }],
    ['pattern', { pattern: () => '' }],
  ])('does not run the method when the %s can be none', async (what, options) => {
    const { handler, left } = await appOf(options)
    await expect(handler.remove('1')).rejects.toThrow(InvalidKeyError)
    await expect(handler.remove('1')).rejects.toThrow(what)
    expect(handler.calls).toBe(0)
    expect(await left()).toHaveLength(3)
  })

  it.each<[string, CacheEvictOptions]>([
    ['key', { keyGenerator: byId }],
    ['tag', { keyGenerator: () => 'customer:t1:1', tags: () => ['customers'] }],
    ['pattern', { pattern: () => 'customer:*' }],
    ['everything', { allEntries: true }],
  ])('does not run the method when the %s would reach past the tenant', async (_, options) => {
    const { handler } = await appOf(options, undefined, { required: true })
    await expect(runAsTenant('t1', () => handler.remove('1'))).rejects.toThrow(TenantKeyError)
    expect(handler.calls).toBe(0)
  })

  const away = () => new CacheUnavailableError('Redis is away', { pending: true })

  it('answers what the method did when the eviction is pending', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, tags: () => ['odd'] })
    const failing = vi.spyOn(cache, 'delete').mockRejectedValue(away())
    expect([await handler.remove('1'), await handler.remove('2')]).toEqual(['done', 'done'])
    expect([handler.calls, failing.mock.calls.length]).toEqual([2, 2])
  })

  it("rejects a pending eviction with `onUnavailable: 'throw'`, and does not run the method again", async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, onUnavailable: 'throw' })
    vi.spyOn(cache, 'delete').mockRejectedValue(away())
    await expect(handler.remove('1')).rejects.toThrow(CacheUnavailableError)
    expect(handler.calls).toBe(1)
  })

  it.each([
    ['an eviction that nobody repeats', new CacheUnavailableError('not in the log')],
    ['any other error', new TypeError('a bug')],
  ])('rejects with %s, after all evictions have come to something', async (_, error) => {
    const { cache, handler } = await appOf({ keyGenerator: byId, tags: () => ['odd'] })
    vi.spyOn(cache, 'delete').mockRejectedValue(error)
    let tags = 'running'
    vi.spyOn(cache, 'invalidateByTag').mockImplementation(async () => {
      await new Promise(setImmediate)
      tags = 'rejected'
      throw away()
    })
    await expect(handler.remove('1')).rejects.toBe(error)
    expect([handler.calls, tags]).toEqual([1, 'rejected'])
  })

  it('does not run the method when an eviction before it fails, pending or not', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, beforeInvocation: true })
    vi.spyOn(cache, 'delete').mockRejectedValue(away())
    await expect(handler.remove('1')).rejects.toThrow(CacheUnavailableError)
    expect(handler.calls).toBe(0)
  })

  it('holds keys and tags while the method runs: what it changes is not cached meanwhile', async () => {
    const { handler, left } = await appOf({ keyGenerator: byId, tags: () => ['even'], hold: true }, async (cache) => {
      for (const [key, tags] of Object.entries({ 'customer:1': ['odd'], 'customer:2': ['even'] })) {
        await cache.getOrSet(key, async () => 'read inside', { tags })
      }
      // A fill is off its caller's path: whoever reads again would see it.
      return cache.getMany(['customer:1', 'customer:2', 'customer:3'])
    })
    expect(await handler.remove('1')).toEqual([null, null, 'three'])
    expect(await left()).toEqual(['three'])
  })

  it('evicts under a hold when the method throws, too', async () => {
    const { handler, left } = await appOf({ keyGenerator: byId, hold: true }, () => {
      throw new Error('half done')
    })
    await expect(handler.remove('1')).rejects.toThrow('half done')
    expect(await left()).toEqual(['two', 'three'])
  })

  it('refuses to run the method when the hold can not be placed', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, hold: true })
    vi.spyOn(cache, 'invalidateAround').mockRejectedValue(away())
    await expect(handler.remove('1')).rejects.toThrow(CacheUnavailableError)
    expect(handler.calls).toBe(0)
  })

  it('runs the method when there is nothing to hold', async () => {
    const { handler, left } = await appOf({ keyGenerator: () => [], hold: true })
    expect(await handler.remove('1')).toBe('done')
    expect(await left()).toHaveLength(3)
  })

  it.each<[string, object]>([
    ['nothing to evict', {}],
    ['`allEntries: false` and nothing else', { allEntries: false }],
    ['everything and a key', { allEntries: true, keyGenerator: byId }],
    ['everything and tags', { allEntries: true, tags: () => ['a'] }],
    ['a TTL', { keyGenerator: byId, ttl: 5 }],
    ['everything and a pattern', { allEntries: true, pattern: () => 'a*' }],
    ['a hold on a pattern', { pattern: () => 'a*', hold: true }],
    ['a hold on everything', { allEntries: true, hold: true }],
    ['a hold before the method', { keyGenerator: byId, hold: true, beforeInvocation: true }],
    ['a hold that throws afterwards', { keyGenerator: byId, hold: true, onUnavailable: 'throw' }],
    ['another `onUnavailable` than throw', { keyGenerator: byId, onUnavailable: 'ignore' }],
    ['a flag that is none', { keyGenerator: byId, beforeInvocation: 'yes' }],
  ])('refuses %s at decoration', (_, options) => {
    expect(() => CacheEvict(options)).toThrow(ConfigurationError)
  })
})
