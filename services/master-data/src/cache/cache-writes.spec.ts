import { CacheUnavailableError, type RedisCacheService } from '@vextrus/shared/cache'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CacheWrites } from './cache-writes.js'

const away = () => Promise.reject(new CacheUnavailableError('away'))

function setUp() {
  const cache = {
    get: vi.fn<(key: string) => Promise<unknown>>(),
    delete: vi.fn<(keys: string[]) => Promise<number>>().mockResolvedValue(1),
    invalidateByTag: vi.fn<(tags: string[]) => Promise<void>>().mockResolvedValue(),
    clear: vi.fn<() => Promise<void>>().mockResolvedValue(),
  }
  return { cache, writes: new CacheWrites(cache as unknown as RedisCacheService) }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('an invalidation', () => {
  it('deletes keys and invalidates tags, and asks for neither without need', async () => {
    const { cache, writes } = setUp()
    await writes.invalidate({ keys: ['k'] })
    expect(cache.invalidateByTag).not.toHaveBeenCalled()
    await writes.invalidate({ tags: ['t'] })
    expect(cache.delete.mock.calls).toEqual([[['k']]])
    expect(cache.invalidateByTag.mock.calls).toEqual([[['t']]])
  })

  it('that Redis did not acknowledge does not fail the write, and is sent again until it is', async () => {
    const { cache, writes } = setUp()
    cache.delete.mockImplementationOnce(away).mockImplementationOnce(away)
    cache.invalidateByTag.mockImplementationOnce(away)
    cache.clear.mockImplementationOnce(away)
    await writes.invalidate({ keys: ['a'], tags: ['t'], everything: true })
    cache.delete.mockImplementationOnce(away)
    await writes.invalidate({ keys: ['b'] })
    await vi.advanceTimersByTimeAsync(250)
    expect(cache.delete).toHaveBeenLastCalledWith(['a', 'b'])
    expect(cache.invalidateByTag).toHaveBeenLastCalledWith(['t'])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(cache.delete).toHaveBeenLastCalledWith(['a', 'b'])
    // Two calls that failed, and those of the two retries, of which the first failed too.
    expect(cache.delete).toHaveBeenCalledTimes(4)
    expect(cache.invalidateByTag).toHaveBeenCalledTimes(2)
    expect(cache.clear).toHaveBeenCalledTimes(2)
  })

  it('that fails for another reason fails the write', async () => {
    const { cache, writes } = setUp()
    cache.delete.mockRejectedValueOnce(new TypeError('a defect'))
    await expect(writes.invalidate({ keys: ['a'] })).rejects.toThrowError('a defect')
  })

  it('is not sent again after the application has closed', async () => {
    const { cache, writes } = setUp()
    cache.delete.mockImplementation(away)
    await writes.invalidate({ keys: ['a'] })
    writes.onModuleDestroy()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(cache.delete).toHaveBeenCalledTimes(1)
  })
})

describe('confirming a write-through', () => {
  it.each([
    ['leaves the entry when it is the row', { version: 2 }, 2, false],
    ['deletes an older row, which a slower writer stored last', { version: 1 }, 2, true],
    ['deletes a row that is no longer in the database', { version: 2 }, undefined, true],
    ['deletes when nothing is there: the store may have failed and the cache be away', null, 2, true],
  ])('%s', async (_, cached, inDatabase, deleted) => {
    const { cache, writes } = setUp()
    cache.get.mockResolvedValue(cached)
    await writes.confirm('k', () => Promise.resolve(inDatabase))
    expect(cache.delete.mock.calls).toEqual(deleted ? [[['k']]] : [])
  })
})
