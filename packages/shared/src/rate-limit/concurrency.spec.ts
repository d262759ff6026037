import { describe, expect, it } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import type { ConcurrencyPlace } from './concurrency.js'

const TWO = { limit: 2, ttl: '10s' } as const

describe('places among those that run at the same time', () => {
  it('are as many as the limit, of all processes, and free when they are disposed of', async () => {
    const world = new LimitWorld()
    const [one, other] = [world.process(), world.process()]
    const first = await one.limiter.concurrency('export', TWO)
    expect(first?.source).toBe('redis')
    {
      await using second = await other.limiter.concurrency('export', TWO)
      expect(second).not.toBeNull()
      expect(await one.limiter.concurrency('export', TWO)).toBeNull()
      expect(await one.limiter.concurrency('import', TWO)).not.toBeNull()
    }
    expect(await one.limiter.concurrency('export', TWO)).not.toBeNull()
    expect(await one.limiter.concurrency('export', TWO)).toBeNull()
    await first!.release()
    await first!.release()
    expect(one.store.taken('leave')).toBe(1)
    expect(await other.limiter.concurrency('export', TWO)).not.toBeNull()
    expect(await other.limiter.concurrency('export', TWO)).toBeNull()
  })

  it('are free after their time, when nobody gives them back', async () => {
    const world = new LimitWorld()
    const { limiter } = world.process()
    const place = await limiter.concurrency('export', { limit: 1, ttl: 1_000 })
    await world.clock.advance(999)
    expect(await limiter.concurrency('export', { limit: 1, ttl: 1_000 })).toBeNull()
    await world.clock.advance(1)
    const next = await limiter.concurrency('export', { limit: 1, ttl: 1_000 })
    expect(next).not.toBeNull()
    // It was the other's, who is long gone.
    await place!.release()
    expect(await limiter.concurrency('export', { limit: 1, ttl: 1_000 })).toBeNull()
  })

  it('of a limit of 0 are none, also while the store is away', async () => {
    const { limiter, store } = new LimitWorld().process()
    expect(await limiter.concurrency('export', { limit: 0, ttl: '1s' })).toBeNull()
    store.always = 'unsent'
    expect(await limiter.concurrency('export', { limit: 0, ttl: '1s' })).toBeNull()
  })

  it('refuse keys, limits and times that can’t be', async () => {
    const { limiter } = new LimitWorld().process()
    const codeOf = (key: string, options: object): Promise<unknown> =>
      limiter.concurrency(key, { ...TWO, ...options }).catch(({ code }: { code: string }) => code)
    expect(await codeOf('', {})).toBe('INVALID_KEY')
    expect(await codeOf('\ud800', {})).toBe('INVALID_KEY')
    for (const limit of [-1, 1.5, NaN, Infinity]) expect(await codeOf('k', { limit })).toBe('CONFIGURATION')
    for (const ttl of [0, -1, NaN, 'soon']) expect(await codeOf('k', { ttl })).toBe('INVALID_DURATION')
    expect(await codeOf('k', { ttl: '25h' })).toBe('CONFIGURATION')
    expect(await codeOf('k', { onUnavailable: 'maybe' })).toBe('CONFIGURATION')
  })
})

describe('places while the store is away', () => {
  it('are those of this process, a share of the limit, at least one, and free after their time', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process({ instances: 3 })
    store.always = 'unsent'
    const enter = (limit: number): Promise<ConcurrencyPlace | null> =>
      limiter.concurrency(`k${limit}`, { limit, ttl: '5s' })
    const first = await enter(7)
    expect(first?.source).toBe('local')
    const second = await enter(7)
    expect(await enter(7)).toBeNull()
    await first!.release()
    await first!.release()
    expect(await enter(7)).not.toBeNull()
    expect(await enter(7)).toBeNull()
    expect(await enter(2)).not.toBeNull()
    expect(await enter(2)).toBeNull()
    await world.clock.advance(5_000)
    expect(await enter(7)).not.toBeNull()
    await second!.release()
    await world.clock.advance(5_000)
    expect(localPlaces(limiter)).toBe(0)
  })

  it('are none, or as many as want one, where the caller says so', async () => {
    const { limiter, store } = new LimitWorld().process()
    store.always = 'unsent'
    expect(await limiter.concurrency('k', { ...TWO, onUnavailable: 'deny' })).toBeNull()
    for (let i = 0; i < 5; i++) {
      const place = await limiter.concurrency('k', { ...TWO, onUnavailable: 'allow' })
      expect(place?.source).toBe('unavailable')
      await place!.release()
    }
  })

  it('are given back that may have been taken, and nobody hears of a failure to give back', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process()
    store.next.enter = ['reply lost']
    const local = await limiter.concurrency('k', { limit: 1, ttl: '1h' })
    expect(local?.source).toBe('local')
    await world.clock.settle()
    const place = await limiter.concurrency('k', { limit: 1, ttl: '1h' })
    expect(place?.source).toBe('redis')
    store.next.leave = ['unsent']
    await place!.release()
    await local!.release()
  })

  it('are given back as soon as it is back, by whoever had them before', async () => {
    const world = new LimitWorld()
    const [one, other] = [world.process(), world.process()]
    const only = { limit: 1, ttl: '1h' } as const
    const place = await one.limiter.concurrency('k', only)
    one.store.always = 'unsent'
    await place!.release()
    await world.clock.advance(5_000)
    expect(await other.limiter.concurrency('k', only)).toBeNull()
    one.store.always = undefined
    await world.clock.advance(1_000)
    expect(await other.limiter.concurrency('k', only)).not.toBeNull()
    one.store.taken('leave')
    await world.clock.advance(5_000)
    expect(one.store.taken('leave')).toBe(0)
  })

  it('are not given back once their time is over, nor by a process that has ended', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process()
    const short = await limiter.concurrency('short', { limit: 1, ttl: '3s' })
    const long = await limiter.concurrency('long', { limit: 1, ttl: '1h' })
    store.always = 'unsent'
    await short!.release()
    await world.clock.advance(4_000)
    store.taken('leave')
    await world.clock.advance(4_000)
    expect(store.taken('leave')).toBe(0)
    await long!.release()
    await world.clock.advance(2_000)
    expect(store.taken('leave')).toBe(3)
    await limiter.close()
    await world.clock.advance(10_000)
    expect(store.taken('leave')).toBe(0)
  })

  it('are not given back to a store that was not asked', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process()
    store.next.enter = ['unsent']
    await limiter.concurrency('k', TWO)
    await world.clock.settle()
    expect(store.taken('leave')).toBe(0)
  })
})

function localPlaces(limiter: object): number {
  return (limiter as { places: { local: Map<string, unknown> } }).places.local.size
}
