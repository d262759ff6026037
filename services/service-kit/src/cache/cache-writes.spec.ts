import { CacheUnavailableError, type RedisCacheService } from '@vextrus/shared/cache'
import { describe, expect, it, vi } from 'vitest'
import { CacheWrites } from './cache-writes.js'

const pending = () => Promise.reject(new CacheUnavailableError('away', { pending: true }))
const away = () => Promise.reject(new CacheUnavailableError('away'))

type Work = () => Promise<unknown>

function setUp() {
  const cache = {
    delete: vi.fn<(keys: readonly string[]) => Promise<number>>().mockResolvedValue(1),
    invalidateByTag: vi.fn<(tags: readonly string[]) => Promise<void>>().mockResolvedValue(),
    deleteByPattern: vi.fn<(glob: string) => Promise<number>>().mockResolvedValue(1),
    invalidateAround: vi.fn<(targets: object, work: Work) => Promise<unknown>>((_, work) => work()),
  }
  return { cache, writes: new CacheWrites(cache as unknown as RedisCacheService) }
}

describe('an invalidation', () => {
  it('that the toolkit will repeat does not fail the write', async () => {
    const { cache, writes } = setUp()
    cache.delete.mockImplementationOnce(pending)
    cache.invalidateByTag.mockImplementationOnce(pending)
    cache.deleteByPattern.mockImplementationOnce(pending)
    await writes.invalidate({ keys: ['a'], tags: ['t'] })
    await writes.invalidatePatterns(['p:*', 'q:*'])
    expect(cache.deleteByPattern.mock.calls).toEqual([['p:*'], ['q:*']])
  })

  it.each([
    ['that nobody repeats', away],
    ['that is a defect', () => Promise.reject(new TypeError('a defect'))],
  ])('%s fails the write', async (_, failure) => {
    const { cache, writes } = setUp()
    cache.delete.mockImplementationOnce(failure)
    await expect(writes.invalidate({ keys: ['a'] })).rejects.toThrowError()
  })
})

describe('a write with its invalidation around it', () => {
  const targets = { keys: ['a'], tags: ['t'] }

  it('runs inside the hold', async () => {
    const { cache, writes } = setUp()
    expect(await writes.around(targets, () => Promise.resolve('written'))).toBe('written')
    expect(cache.invalidateAround.mock.calls[0]?.[0]).toBe(targets)
    expect(cache.delete).not.toHaveBeenCalled()
  })

  it('goes on without one when none can be placed, and invalidates afterwards', async () => {
    const { cache, writes } = setUp()
    cache.invalidateAround.mockImplementationOnce(away)
    const order: string[] = []
    cache.delete.mockImplementationOnce(() => (order.push('delete'), pending()))
    expect(await writes.around(targets, async () => order.push('write'))).toBe(1)
    expect(order).toEqual(['write', 'delete'])
    expect(cache.invalidateByTag).toHaveBeenCalledWith(['t'])
  })

  it('invalidates also when the write fails without a hold, for it may have been committed', async () => {
    const { cache, writes } = setUp()
    cache.invalidateAround.mockImplementationOnce(away)
    const lost = () => Promise.reject(new Error('connection lost at the commit'))
    await expect(writes.around(targets, lost)).rejects.toThrowError('connection lost')
    expect(cache.delete).toHaveBeenCalledWith(['a'])
  })

  it('is never done twice, whatever it fails with', async () => {
    const { writes } = setUp()
    const write = vi.fn<Work>(away)
    await expect(writes.around(targets, write)).rejects.toThrowError('away')
    expect(write).toHaveBeenCalledOnce()
  })
})

describe('confirming a write-through', () => {
  it.each([
    ['leaves the entry when it is the row', 2, false],
    ['deletes it when the row has changed since', 3, true],
    ['deletes it when the row is gone', undefined, true],
  ])('%s', async (_, inDatabase, deleted) => {
    const { cache, writes } = setUp()
    await writes.confirm('k', 2, () => Promise.resolve(inDatabase))
    expect(cache.delete.mock.calls).toEqual(deleted ? [[['k']]] : [])
  })
})
