import { describe, expect, it } from 'vitest'
import { memoryCache } from '../../../test/support/cached-app.js'
import { ConfigurationError } from '../../kernel/errors.js'
import { CachePattern, CachePresets } from './cache-pattern.js'
import { CacheService } from './cache.service.js'

function serviceWith(overrides?: ConstructorParameters<typeof CachePresets>[0]) {
  const cache = memoryCache()
  return { cache, service: new CacheService(cache, new CachePresets(overrides)) }
}

describe('the service of patterns', () => {
  it.each([
    [CachePattern.SESSION, 3_600],
    [CachePattern.AUTH, 900],
    [CachePattern.USER, 300],
    [CachePattern.CONFIG, 86_400],
    [CachePattern.FEATURE_FLAG, 600],
    [CachePattern.LOOKUP, 7_200],
    [CachePattern.QUERY, 60],
    [CachePattern.REPORT, 1_800],
  ])('stores and loads %s for %i seconds', async (pattern, seconds) => {
    const { cache, service } = serviceWith()
    expect(service.getTTL(pattern)).toBe(seconds)
    await service.set('a', 1, pattern)
    expect(await cache.ttl('a')).toBeCloseTo(seconds, -1)
    expect(await service.getOrSet('b', () => 2, pattern)).toBe(2)
    expect(await service.get('b')).toBe(2)
    expect(await cache.ttl('b')).toBeCloseTo(seconds, -1)
    expect([await service.delete('a'), await service.delete(['a', 'b'])]).toEqual([1, 1])
  })

  it('takes the lifetimes that the application gives, and keeps the others', () => {
    const { service } = serviceWith({ [CachePattern.QUERY]: '90s', [CachePattern.USER]: undefined })
    expect([service.getTTL(CachePattern.QUERY), service.getTTL(CachePattern.USER)]).toEqual([90, 300])
  })

  it('refuses what is no pattern, and calls no loader for it', async () => {
    const { service } = serviceWith()
    const forever = 'forever' as never
    let loads = 0
    expect(() => service.getTTL(forever)).toThrow(ConfigurationError)
    await expect(service.set('a', 1, 300 as never)).rejects.toThrow(/not a CachePattern; there are session, auth/)
    await expect(service.getOrSet('a', () => ++loads, forever)).rejects.toThrow(ConfigurationError)
    await expect(service.getOrSet('a', () => ++loads, 'toString' as never)).rejects.toThrow(ConfigurationError)
    expect(loads).toBe(0)
  })
})
