import { Injectable } from '@nestjs/common'
import { describe, expect, it, vi } from 'vitest'
import { appWith, memoryCache } from '../../../test/support/cached-app.js'
import { ConfigurationError } from '../../kernel/errors.js'
import type { RedisCacheService } from '../cache.js'
import { CacheUnavailableError } from '../errors.js'
import { CacheEvict, type CacheEvictOptions } from './cache-evict.decorator.js'

async function appOf(options: CacheEvictOptions, work: (cache: RedisCacheService) => unknown = () => 'done') {
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
  const app = await appWith([Handler], { cache }).compile()
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

  it('rejects when the eviction may not have happened, and does not run the method again', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId })
    vi.spyOn(cache, 'delete').mockRejectedValue(new CacheUnavailableError('Redis is away'))
    await expect(handler.remove('1')).rejects.toThrow(CacheUnavailableError)
    expect(handler.calls).toBe(1)
  })

  it('does not run the method when an eviction before it fails', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, beforeInvocation: true })
    vi.spyOn(cache, 'delete').mockRejectedValue(new CacheUnavailableError('Redis is away'))
    await expect(handler.remove('1')).rejects.toThrow(CacheUnavailableError)
    expect(handler.calls).toBe(0)
  })

  it.each<[string, object]>([
    ['nothing to evict', {}],
    ['`allEntries: false` and nothing else', { allEntries: false }],
    ['everything and a key', { allEntries: true, keyGenerator: byId }],
    ['everything and tags', { allEntries: true, tags: () => ['a'] }],
    ['a TTL', { keyGenerator: byId, ttl: 5 }],
    ['a flag that is none', { keyGenerator: byId, beforeInvocation: 'yes' }],
  ])('refuses %s at decoration', (_, options) => {
    expect(() => CacheEvict(options)).toThrow(ConfigurationError)
  })
})
