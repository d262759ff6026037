import { Injectable } from '@nestjs/common'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { appWith, memoryCache } from '../../../test/support/cached-app.js'
import { ConfigurationError, InvalidDurationError } from '../../kernel/errors.js'
import { CacheUnavailableError, TenantKeyError } from '../errors.js'
import type { SetOptions } from '../public-types.js'
import { runAsTenant, type TenancyOptions } from '../tenancy.js'
import { CachePattern } from './cache-pattern.js'
import { CachePut, type CachePutOptions } from './cache-put.decorator.js'

interface Customer {
  id: string
  name: string
}

afterEach(() => {
  vi.restoreAllMocks()
})

async function appOf(
  options: CachePutOptions,
  answer: (customer: Customer) => unknown = (customer) => customer,
  tenancy: TenancyOptions = {},
) {
  @Injectable()
  class Handler {
    calls = 0

    @CachePut(options)
    async update(customer: Customer): Promise<unknown> {
      this.calls++
      return answer(customer)
    }
  }
  const cache = memoryCache()
  const app = await appWith([Handler], { cache, tenancy }).compile()
  return { cache, handler: app.get(Handler) }
}

const ann: Customer = { id: '1', name: 'Ann' }
const byId = (customer: Customer) => `customer:${customer.id}`

describe('@CachePut', () => {
  it('runs the method each time and stores what it answers', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, ttl: '10m' })
    expect(await handler.update(ann)).toEqual(ann)
    await handler.update({ ...ann, name: 'Anna' })
    expect(handler.calls).toBe(2)
    expect(await cache.get('customer:1')).toEqual({ id: '1', name: 'Anna' })
    expect(await cache.ttl('customer:1')).toBeCloseTo(600, -1)
  })

  it('makes the key of the result where the id comes only then', async () => {
    const { cache, handler } = await appOf({ key: (saved: Customer) => `customer:${saved.id}` }, ({ name }) => ({
      id: '77',
      name,
    }))
    await handler.update({ id: '', name: 'New' })
    expect(await cache.get('customer:77')).toEqual({ id: '77', name: 'New' })
  })

  it('makes the key of the arguments as they came, whatever the method does to them', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId }, (customer) => {
      customer.id = 'changed'
      return 1
    })
    await handler.update({ ...ann })
    expect(await cache.get('customer:1')).toBe(1)
  })

  it('takes TTL and tags from the result, or the TTL from a preset', async () => {
    const dynamic = await appOf({
      keyGenerator: byId,
      ttl: (saved: Customer) => saved.name.length,
      tags: (saved: Customer, given: Customer) => [`name:${saved.name}`, `given:${given.id}`],
    })
    await dynamic.handler.update(ann)
    const { ttlMs, tags } = await dynamic.cache.lookup('customer:1')
    expect(ttlMs).toBeCloseTo(3_000, -2)
    expect(tags).toEqual(['name:Ann', 'given:1'])

    const preset = await appOf({ keyGenerator: byId, preset: CachePattern.USER })
    await preset.handler.update(ann)
    expect(await preset.cache.ttl('customer:1')).toBeCloseTo(300, -1)
  })

  it('stores nothing where the condition or `unless` says so', async () => {
    const conditional = await appOf({ keyGenerator: byId, condition: ({ id }: Customer) => id !== '1' })
    await conditional.handler.update(ann)
    expect(await conditional.cache.has('customer:1')).toBe(false)

    const unless = await appOf({ keyGenerator: byId, unless: ({ name }: Customer) => name === 'Ann' })
    await unless.handler.update(ann)
    expect(await unless.cache.has('customer:1')).toBe(false)
    expect(unless.handler.calls).toBe(1)
  })

  it.each([null, undefined])(
    'deletes the old entry when the method answers %s, and asks nothing about it',
    async (gone) => {
      const never = (): never => {
        throw new Error('asked')
      }
      const { cache, handler } = await appOf({ keyGenerator: byId, ttl: never, tags: never }, () => gone)
      await cache.set('customer:1', ann)
      expect(await handler.update(ann)).toBe(gone)
      expect(await cache.has('customer:1')).toBe(false)

      const byResult = await appOf({ key: never }, () => gone)
      expect(await byResult.handler.update(ann)).toBe(gone)
    },
  )

  it('never puts an older version over a later one', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId, version: (saved: Customer) => saved.name.length })
    await handler.update({ id: '1', name: 'Annabel' })
    expect(await handler.update(ann)).toEqual(ann)
    expect(await cache.get('customer:1')).toEqual({ id: '1', name: 'Annabel' })
    await handler.update({ id: '1', name: 'Anna-Maria' })
    expect(await cache.get('customer:1')).toEqual({ id: '1', name: 'Anna-Maria' })
  })

  it('answers what the method did when the write or the deletion has to wait, unless it is told to throw', async () => {
    const away = new CacheUnavailableError('Redis is away', { pending: true })
    for (const onUnavailable of [undefined, 'throw'] as const) {
      for (const answer of [ann, null]) {
        const { cache, handler } = await appOf({ keyGenerator: byId, onUnavailable }, () => answer)
        const set = vi.spyOn(cache, 'set').mockImplementation(async (_key, _value, options) => {
          if ((options as SetOptions).onUnavailable === 'throw') throw away
        })
        const deletion = vi.spyOn(cache, 'delete').mockRejectedValue(away)
        if (onUnavailable === 'throw') await expect(handler.update(ann)).rejects.toBe(away)
        else expect(await handler.update(ann)).toBe(answer)
        expect([handler.calls, set.mock.calls.length + deletion.mock.calls.length]).toEqual([1, 1])
      }
    }
  })

  it('does not call the method when the key lacks the tenant', async () => {
    const { handler } = await appOf({ keyGenerator: byId }, undefined, { required: true })
    await expect(runAsTenant('t1', () => handler.update(ann))).rejects.toThrow(TenantKeyError)
    expect(handler.calls).toBe(0)
  })

  it('stores nothing when the method throws, and does not call it again', async () => {
    const { cache, handler } = await appOf({ keyGenerator: byId }, () => {
      throw new Error('conflict')
    })
    await cache.set('customer:1', 'old')
    await expect(handler.update(ann)).rejects.toThrow('conflict')
    expect(handler.calls).toBe(1)
    expect(await cache.get('customer:1')).toBe('old')
  })

  it('does not call the method when the key can not be made', async () => {
    const { handler } = await appOf({
      keyGenerator: () => {
        throw new Error('no tenant')
      },
    })
    await expect(handler.update(ann)).rejects.toThrow('no tenant')
    expect(handler.calls).toBe(0)
  })

  it.each(['ttl', 'tags', 'unless', 'key'] as const)('calls the method once when `%s` throws', async (name) => {
    const broken = (): never => {
      throw new Error('broken callback')
    }
    const { handler } = await appOf(name === 'key' ? { key: broken } : { keyGenerator: byId, [name]: broken })
    await expect(handler.update(ann)).rejects.toThrow('broken callback')
    expect(handler.calls).toBe(1)
  })

  it.each<[string, object, unknown]>([
    ['neither `keyGenerator` nor `key`', {}, ConfigurationError],
    ['both `keyGenerator` and `key`', { keyGenerator: byId, key: byId }, ConfigurationError],
    ['a TTL and a preset', { key: byId, ttl: 60, preset: CachePattern.QUERY }, ConfigurationError],
    ['a negative TTL', { key: byId, ttl: -1 }, InvalidDurationError],
    ['a version that is no function', { key: byId, version: 5 }, ConfigurationError],
    ['another `onUnavailable` than throw', { key: byId, onUnavailable: true }, ConfigurationError],
    ['an option that does not exist', { key: byId, cacheNull: 5 }, ConfigurationError],
  ])('refuses %s at decoration', (_, options, error) => {
    expect(() => CachePut(options)).toThrow(error as typeof ConfigurationError)
  })
})
