import { describe, expect, it } from 'vitest'
import { RedisCacheService } from '../../src/cache/cache.js'
import { MemoryCacheStore } from '../../src/cache/stores/memory.js'
import { SwitchedStore } from '../support/cache-backends.js'
import { HeldLoad, idle, stateOf } from '../support/memory-world.js'

function cacheOfNothing(loadConcurrency: number): RedisCacheService {
  const store = new SwitchedStore(new MemoryCacheStore())
  store.away = true
  return new RedisCacheService(store, { loadConcurrency })
}

describe('loads while the store is away', () => {
  it('run as many at once as they may, and the others after them', async () => {
    const cache = cacheOfNothing(2)
    const load = new HeldLoad<number>()
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => cache.getOrSet(key, load.load)))
    for (const [done, running] of [2, 3, 4, 5, 5].entries()) {
      await idle()
      expect(load.calls).toBe(running)
      load.answer(done)
    }
    expect(await stateOf(all)).toEqual({ value: [0, 1, 2, 3, 4] })
  })

  it('end, though one asks for what stands behind it in the queue, or has not been asked for', async () => {
    const cache = cacheOfNothing(1)
    const first = new HeldLoad<number>()
    const outer = cache.getOrSet('a', async () => {
      const one = await first.load()
      return one + (await cache.getOrSet('b', () => 10)) + (await cache.getOrSet('d', () => 100))
    })
    await idle()
    const queued = Promise.all([cache.getOrSet('c', () => 5), cache.getOrSet('b', () => 20)])
    await idle()
    first.answer(1)
    expect(await stateOf(outer)).toEqual({ value: 121 })
    expect(await stateOf(queued)).toEqual({ value: [5, 20] })
  })
})
