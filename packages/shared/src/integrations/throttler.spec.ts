import { type ThrottlerStorage, ThrottlerStorageService } from '@nestjs/throttler'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import { ConfigurationError } from '../kernel/errors.js'
import { RedisThrottlerStorage } from './throttler.js'

afterEach(() => vi.useRealTimers())

const ofWorld = (world = new LimitWorld()): RedisThrottlerStorage => new RedisThrottlerStorage(world.process().limiter)
const hit = (
  storage: ThrottlerStorage,
  { key = 'a', ttl = 10_000, limit = 2, block = 0, name = 'default' },
): ReturnType<ThrottlerStorage['increment']> => storage.increment(key, ttl, limit, block, name)

describe('storage for the throttler', () => {
  it('tells times in whole seconds, rounded up', async () => {
    const world = new LimitWorld()
    const storage = ofWorld(world)
    expect(await hit(storage, { ttl: 1_500, limit: 0, block: 2_001 })).toEqual({
      totalHits: 1,
      timeToExpire: 2,
      isBlocked: true,
      timeToBlockExpire: 3,
    })
    await world.clock.advance(1_001)
    expect(await hit(storage, { ttl: 1_500, limit: 0, block: 2_001 })).toMatchObject({
      timeToExpire: 1,
      timeToBlockExpire: 1,
    })
  })

  it('answers as its own storage does, whatever is hit until all is forgotten, and again after that', async () => {
    const settings = fc.record({
      ttl: fc.integer({ min: 2_000, max: 20_000 }),
      limit: fc.integer({ min: 1, max: 3 }),
      block: fc.constantFrom(0, 1, 100, 700, 2_000, 20_000, 60_000),
    })
    // Parts of a window, which together are less than it: in such a time their hits, which leave one by one, all count.
    const bursts = fc.array(fc.array(fc.integer({ min: 0, max: 110 }), { minLength: 4, maxLength: 9 }), {
      maxLength: 4,
    })
    let [blocked, reopened] = [0, 0]
    await fc.assert(
      fc.asyncProperty(settings, bursts, async (given, histories) => {
        vi.useFakeTimers({ toFake: ['Date'] })
        const world = new LimitWorld()
        const [ours, theirs] = [ofWorld(world), new ThrottlerStorageService()]
        const advance = async (ms: number): Promise<void> => {
          if (ms === 0) return
          vi.setSystemTime(Date.now() + ms)
          await world.clock.advance(ms)
        }
        for (const gaps of histories) {
          let [wasBlocked, isAnother] = [false, false]
          for (const gap of gaps) {
            await advance(Math.floor((gap * given.ttl) / 1_000))
            const [mine, own] = [await hit(ours, given), await hit(theirs, given)]
            if (wasBlocked && !own.isBlocked && given.block > 0) isAnother = true
            wasBlocked = own.isBlocked
            blocked += own.isBlocked ? 1 : 0
            reopened += isAnother ? 1 : 0
            expect({ totalHits: mine.totalHits, isBlocked: mine.isBlocked }).toEqual({
              totalHits: own.totalHits,
              isBlocked: own.isBlocked,
            })
            // What it says of a block when there is none is no time.
            if (own.isBlocked) expect(mine.timeToBlockExpire).toBe(own.timeToBlockExpire)
            // After a block ours tells of the window that begins then, theirs of an older one.
            if (isAnother) expect(mine.timeToExpire).toBeGreaterThanOrEqual(own.timeToExpire)
            else expect(mine.timeToExpire).toBe(own.timeToExpire)
          }
          await advance(given.ttl + given.block)
        }
        theirs.onApplicationShutdown()
      }),
      { numRuns: 100 },
    )
    expect(blocked).toBeGreaterThan(100)
    expect(reopened).toBeGreaterThan(10)
  })

  it('a block that is shorter than the window does not block again for the hits that it was for', async () => {
    const world = new LimitWorld()
    const storage = ofWorld(world)
    const closing = { ttl: 60_000, limit: 2, block: 1_000 }
    for (let round = 0; round < 3; round++) {
      const seen = [await hit(storage, closing), await hit(storage, closing), await hit(storage, closing)]
      expect(seen.map(({ isBlocked }) => isBlocked)).toEqual([false, false, true])
      await world.clock.advance(1_000)
    }
  })

  it('a limit of 0 refuses all, also after a block, when its own storage lets one pass', async () => {
    const world = new LimitWorld()
    const storage = ofWorld(world)
    for (let round = 0; round < 3; round++) {
      expect(await hit(storage, { limit: 0, block: 1_000 })).toMatchObject({ isBlocked: true, timeToBlockExpire: 1 })
      await world.clock.advance(1_000)
    }
  })

  it('counts the throttlers of one key apart, and keys of one throttler', async () => {
    const storage = ofWorld()
    for (const name of ['short', 'long']) {
      for (const key of ['a', 'b']) expect(await hit(storage, { key, name })).toMatchObject({ totalHits: 1 })
    }
    expect(await hit(storage, { name: 'long' })).toMatchObject({ totalHits: 2 })
  })

  it.each([
    [Infinity, [false, false, false]],
    [1.5, [false, true, true]],
    [-1, [true, true, true]],
  ])('takes a limit of %d as its own storage does', async (limit, expected) => {
    for (const storage of [ofWorld(), new ThrottlerStorageService()]) {
      const seen = [1, 2, 3].map(() => hit(storage, { limit, block: 1_000 }))
      expect((await Promise.all(seen)).map(({ isBlocked }) => isBlocked)).toEqual(expected)
    }
  })

  it.each([
    [2, false],
    [0, true],
  ])('in a window of no length a limit of %d is exceeded: %s', async (limit, isBlocked) => {
    for (const storage of [ofWorld(), new ThrottlerStorageService()]) {
      for (let i = 0; i < 5; i++) expect(await hit(storage, { ttl: 0, limit })).toMatchObject({ isBlocked })
    }
  })

  it('a limit or a time that is none is an error that names it', async () => {
    await expect(hit(ofWorld(), { limit: NaN })).rejects.toThrow(/limit/)
    await expect(hit(ofWorld(), { ttl: NaN })).rejects.toThrow(/window/)
  })
})

describe('storage for the throttler, while Redis is away', () => {
  const away = (onUnavailable?: 'allow' | 'deny' | 'local', instances = 1): RedisThrottlerStorage => {
    const { limiter, store } = new LimitWorld().process({ instances })
    store.always = 'unsent'
    return new RedisThrottlerStorage(limiter, { onUnavailable })
  }

  it.each([0, 5_000])('counts its share of the limit (blocks for %d ms)', async (block) => {
    const storage = away(undefined, 3)
    const seen = []
    for (let i = 0; i < 4; i++) seen.push(await hit(storage, { limit: 10, block }))
    expect(seen.map(({ isBlocked }) => isBlocked)).toEqual([false, false, false, true])
    expect(seen[3]!.timeToBlockExpire).toBe(block > 0 ? 5 : 10)
  })

  it.each([0, 5_000])(
    'lets one pass where the limit is smaller than the number of processes (blocks for %d ms)',
    async (block) => {
      const storage = away('local', 5)
      expect(await hit(storage, { limit: 2, block })).toMatchObject({ isBlocked: false, totalHits: 2 })
      expect(await hit(storage, { limit: 2, block })).toMatchObject({ isBlocked: true, totalHits: 3 })
    },
  )

  it('refuses for a second, or lets pass, where it is told to', async () => {
    for (const block of [0, 5_000]) {
      expect(await hit(away('deny'), { block })).toMatchObject({ isBlocked: true, timeToBlockExpire: 1 })
      const storage = away('allow')
      for (let i = 0; i < 5; i++)
        expect(await hit(storage, { block })).toMatchObject({ isBlocked: false, totalHits: 1 })
    }
  })

  it('a policy that there is not is refused when the storage is made', () => {
    expect(() => away('never' as 'allow')).toThrow(ConfigurationError)
  })
})
