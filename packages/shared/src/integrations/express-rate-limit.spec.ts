import { MemoryStore, type Options } from 'express-rate-limit'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { RateLimitUnavailableError } from '../rate-limit/errors.js'
import { RedisRateLimitStore, type RedisRateLimitStoreOptions } from './express-rate-limit.js'

afterEach(() => vi.useRealTimers())

const MINUTE = 60_000

function ofWorld(world: LimitWorld, options?: RedisRateLimitStoreOptions, windowMs = MINUTE): RedisRateLimitStore {
  const store = new RedisRateLimitStore(world.process().limiter, options)
  store.init({ windowMs, limit: 5 })
  return store
}

describe('store for express-rate-limit', () => {
  it('counts a client up, takes back, never below none, and tells how it stands', async () => {
    const store = ofWorld(new LimitWorld())
    expect(await store.get('a')).toBeUndefined()
    expect(await store.increment('a')).toMatchObject({ totalHits: 1 })
    expect(await store.increment('a')).toMatchObject({ totalHits: 2 })
    expect(await store.get('a')).toMatchObject({ totalHits: 2 })
    await store.decrement('a')
    expect(await store.get('a')).toMatchObject({ totalHits: 1 })
    for (let i = 0; i < 3; i++) await store.decrement('a')
    expect(await store.increment('a')).toMatchObject({ totalHits: 1 })
    expect(await store.increment('b')).toMatchObject({ totalHits: 1 })
  })

  it('tells when a window ends, by the clock that the library subtracts, and begins anew then', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 5_000_000 })
    const world = new LimitWorld()
    const store = ofWorld(world)
    expect(await store.increment('a')).toEqual({ totalHits: 1, resetTime: new Date(5_000_000 + MINUTE) })
    await world.clock.advance(MINUTE - 1)
    expect(await store.get('a')).toEqual({ totalHits: 1, resetTime: new Date(5_000_000 + 1) })
    await world.clock.advance(1)
    expect(await store.get('a')).toBeUndefined()
    expect(await store.increment('a')).toEqual({ totalHits: 1, resetTime: new Date(5_000_000 + MINUTE) })
  })

  it('forgets a client, in every process', async () => {
    const world = new LimitWorld()
    const [one, other] = [ofWorld(world), ofWorld(world)]
    for (const key of ['a', 'a', 'b']) await one.increment(key)
    await other.resetKey('a')
    expect(await one.get('a')).toBeUndefined()
    expect(await one.increment('a')).toMatchObject({ totalHits: 1 })
    expect(await one.increment('b')).toMatchObject({ totalHits: 2 })
  })

  it("answers as the library's own store does, whatever is done", async () => {
    const action = fc.record({
      does: fc.constantFrom('increment', 'increment', 'decrement', 'resetKey'),
      key: fc.constantFrom('a', 'b'),
      after: fc.constantFrom(0, 0, 1, 20_000, 59_999, MINUTE),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
        vi.useFakeTimers({ toFake: ['Date'] })
        const world = new LimitWorld()
        const [ours, theirs] = [ofWorld(world), new MemoryStore()]
        theirs.init({ windowMs: MINUTE } as Options)
        for (const { does, key, after } of actions) {
          if (after > 0) {
            vi.setSystemTime(Date.now() + after)
            await world.clock.advance(after)
          }
          // The library takes back what it has counted, and nothing else; its own store begins a window otherwise.
          if (does === 'decrement' && (await theirs.get(key)) === undefined) continue
          const [mine, own] = [await ours[does](key), await theirs[does](key)]
          expect(mine).toEqual(own)
        }
        theirs.shutdown()
      }),
      { numRuns: 100 },
    )
  })

  it('limiters of different prefixes or windows count apart, those of the same together', async () => {
    const world = new LimitWorld()
    const first = ofWorld(world)
    await first.increment('a')
    for (const store of [ofWorld(world, { prefix: 'api:' }), ofWorld(world, {}, 1_000)]) {
      // By it the library tells whether a request is counted twice.
      expect(store.prefix).not.toBe(first.prefix)
      expect(await store.increment('a')).toMatchObject({ totalHits: 1 })
    }
    expect(await ofWorld(world).increment('a')).toMatchObject({ totalHits: 2 })
    expect(first.localKeys).toBe(false)
  })

  it('a window that is none is an error when the limiter is made', () => {
    expect(() => ofWorld(new LimitWorld(), {}, 0)).toThrow(InvalidDurationError)
  })
})

describe('store for express-rate-limit, while Redis is away', () => {
  const away = (
    onUnavailable: RedisRateLimitStoreOptions['onUnavailable'],
    limit: Options['limit'],
    instances = 1,
  ): RedisRateLimitStore => {
    const { limiter, store: faulty } = new LimitWorld().process({ instances })
    faulty.always = 'unsent'
    const store = new RedisRateLimitStore(limiter, { onUnavailable })
    store.init({ windowMs: MINUTE, limit })
    return store
  }
  const threeHits = async (store: RedisRateLimitStore): Promise<number[]> => {
    const hits: number[] = []
    for (let i = 0; i < 3; i++) hits.push((await store.increment('a')).totalHits)
    return hits
  }

  it('each hit is as many as there are instances, but a limit smaller than that lets one pass', async () => {
    expect(await threeHits(away('local', 100, 3))).toEqual([3, 6, 9])
    expect(await threeHits(away(undefined, 2, 3))).toEqual([2, 6, 9])
    expect(await threeHits(away('local', () => 100, 3))).toEqual([3, 6, 9])
  })

  it('refuses whatever the limit is, or lets pass, where it is told to', async () => {
    for (const limit of [100, () => 100]) {
      for (const hits of await threeHits(away('deny', limit))) expect(hits).toBeGreaterThan(100)
      expect(await threeHits(away('allow', limit))).toEqual([1, 1, 1])
    }
  })

  it('takes back and forgets here; that Redis does not know of it is told to who waits, and ends nobody else', async () => {
    const store = away('local', 100)
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    try {
      await store.increment('a')
      await store.increment('a')
      await store.decrement('a')
      expect(await store.get('a')).toMatchObject({ totalHits: 1 })
      void store.resetKey('b')
      await expect(store.resetKey('a')).rejects.toThrow(RateLimitUnavailableError)
      expect(await store.get('a')).toBeUndefined()
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })

  it('a policy that there is not is refused when the store is made', () => {
    expect(() => away('never' as 'allow', 1)).toThrow(ConfigurationError)
  })
})
