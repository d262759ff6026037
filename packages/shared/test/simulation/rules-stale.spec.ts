import { describe, expect, it, vi } from 'vitest'
import { LoadTimeoutError } from '../../src/cache/errors.js'
import { cacheRefreshFailed } from '../../src/cache/loader.js'
import { HeldLoad, idle, MemoryWorld, rejection, type TestProcess } from '../support/memory-world.js'

const options = { ttl: '10s', grace: '1m', tags: ['x'] }

describe('an entry past its time (R15)', () => {
  it('is served at once, and loaded anew by one process alone, under the lease', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await one.cache.set('k', 'old', options)
    await world.clock.advance('10s')
    const load = new HeldLoad<string>()
    for (const { cache } of [one, one, other, other]) expect(await cache.getOrSet('k', load.load, options)).toBe('old')
    await idle()
    expect(load.calls).toBe(1)
    for (const { store } of [one, other]) expect(store.sent.filter((call) => call === 'acquire')).toHaveLength(1)
    expect(world.space.lease('k')).not.toBeNull()
    load.answer('new')
    await idle()
    expect([await one.cache.get('k'), await other.cache.get('k')]).toEqual(['new', 'new'])
    expect(await other.cache.getOrSet('k', load.load, options)).toBe('new')
    expect(load.calls).toBe(1)
  })

  it('is gone when its grace is over', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    await one.cache.set('k', 'old', options)
    await world.clock.advance('69999ms')
    expect(await one.cache.get('k')).toBe('old')
    await world.clock.advance('1ms')
    expect(await one.cache.get('k')).toBeNull()
  })

  it('is not served once it was invalidated, nor what was being loaded for it', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await one.cache.set('k', 'old', options)
    await world.clock.advance('10s')
    const load = new HeldLoad<string>()
    expect(await one.cache.getOrSet('k', load.load, options)).toBe('old')
    await idle()
    await other.cache.invalidateByTag('x')
    load.answer('too old')
    await idle()
    expect([await one.cache.get('k'), await other.cache.get('k')]).toEqual([null, null])
  })
})

describe('a refresh (R15)', () => {
  it('that brings nothing which is stored ends the stale value, and one that is skipped does not', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await one.cache.set('k', 'old', options)
    await world.clock.advance('10s')
    await one.cache.getOrSet<string | null>('k', ({ skip }) => (skip(), null), options)
    await idle()
    expect(await other.cache.get('k')).toBe('old')
    await one.cache.getOrSet<string | null>('k', () => null, options)
    await idle()
    expect(await other.cache.get('k')).toBeNull()
  })
})

describe('a load that fails while a stale value is there (R15)', () => {
  const waits = { ...options, loadTimeout: { soft: '1s', hard: '2s' } }
  const failing = (): Promise<string> => Promise.reject(new Error('no origin'))

  async function stale(): Promise<{ world: MemoryWorld; one: TestProcess }> {
    const world = new MemoryWorld()
    const one = world.process()
    await one.cache.set('k', 'old', options)
    await world.clock.advance('10s')
    return { world, one }
  }

  it('answers that one at once, to all who have found it, from one call; it is told and counted', async () => {
    const { one } = await stale()
    const told = vi.fn()
    const stop = cacheRefreshFailed.subscribe(told)
    try {
      const load = vi.fn(failing)
      const values = await Promise.all([1, 2, 3].map(() => one.cache.getOrSet('k', load, waits)))
      expect(values).toEqual(['old', 'old', 'old'])
      expect(load).toHaveBeenCalledTimes(1)
      expect(told.mock.calls).toEqual([[{ key: 'k', cause: expect.objectContaining({ message: 'no origin' }) }]])
      expect(one.cache.getStatistics()).toMatchObject({ loads: 1, loadErrors: 1, stale: 3 })
    } finally {
      stop()
    }
  })

  it('answers that one when the load of an impatient caller is over, too', async () => {
    const { world, one } = await stale()
    const never = (): Promise<string> => new Promise(() => undefined)
    expect(await one.cache.getOrSet('k', never, { ...options, loadTimeout: { hard: '300ms' } })).toBe('old')
    await idle()
    const value = one.cache.getOrSet('k', never, waits)
    await world.clock.advance('300ms')
    expect(await value).toBe('old')
  })

  it('rejects who has found none', async () => {
    const { world, one } = await stale()
    const load = new HeldLoad<string>()
    const first = one.cache.getOrSet('k', load.load, waits)
    await idle()
    await world.process().cache.delete('k')
    const second = rejection(one.cache.getOrSet('k', load.load, waits))
    await idle()
    load.fail(new Error('no origin'))
    expect([await first, await second]).toEqual(['old', expect.objectContaining({ message: 'no origin' })])
  })

  it.each([
    ['behind the callers’ backs', options],
    ['in their sight', waits],
  ])('is not tried again for a pause, longer each time, %s: the stale value is served without it', async (_, how) => {
    const { world, one } = await stale()
    const load = vi.fn(failing)
    const read = async (): Promise<void> => {
      expect(await one.cache.getOrSet('k', load, how)).toBe('old')
      await idle()
    }
    for (let i = 0; i < 10; i++) await read()
    expect(load).toHaveBeenCalledTimes(1)
    for (let ms = 0; ms < 50_000; ms += 250) {
      await world.clock.advance(250)
      await read()
    }
    // Without a pause it would have been 200 times. Pauses are drawn up to 1, 2, 4, 8, 16 and 30 seconds.
    expect(load.mock.calls.length).toBeGreaterThan(3)
    expect(load.mock.calls.length).toBeLessThan(25)
  })

  it('pauses after the end of its time as after an error', async () => {
    const { world, one } = await stale()
    const load = vi.fn(() => new Promise<string>(() => undefined))
    const hard = { ...options, loadTimeout: { hard: '100ms' } }
    expect(await one.cache.getOrSet('k', load, hard)).toBe('old')
    await world.clock.advance('100ms')
    expect(await one.cache.getOrSet('k', load, hard)).toBe('old')
    await idle()
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('is tried at once by who has no stale value: errors are not cached', async () => {
    const { world, one } = await stale()
    const load = vi.fn(failing)
    await one.cache.getOrSet('k', load, waits)
    await world.process().cache.delete('k')
    for (let i = 0; i < 3; i++) await expect(one.cache.getOrSet('k', load, waits)).rejects.toThrow('no origin')
    expect(load).toHaveBeenCalledTimes(4)
    expect(await one.cache.getOrSet('k', () => 'new', waits)).toBe('new')
  })

  it('is forgotten with a success: the next entry has no pause', async () => {
    const { world, one } = await stale()
    const load = vi.fn(failing)
    await one.cache.getOrSet('k', load, options)
    await world.clock.advance('1s')
    expect(await one.cache.getOrSet('k', () => 'new', waits)).toBe('new')
    await world.clock.advance('10s')
    expect(await one.cache.getOrSet('k', load, waits)).toBe('new')
    expect(load).toHaveBeenCalledTimes(2)
  })

  it('is not what its callers have given up', async () => {
    const { one } = await stale()
    const load = new HeldLoad<string>()
    const controller = new AbortController()
    const gone = rejection(one.cache.getOrSet('k', load.load, { ...waits, signal: controller.signal }))
    await idle()
    controller.abort()
    await gone
    await idle()
    expect(await one.cache.getOrSet('k', () => 'new', waits)).toBe('new')
  })

  it('runs once an attempt under 50 staggered callers', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    let [running, most, calls] = [0, 0, 0]
    const load = async (): Promise<never> => {
      most = Math.max(most, ++running)
      calls++
      await idle()
      running--
      throw new Error('no origin')
    }
    const outcomes: Promise<unknown>[] = []
    for (let i = 0; i < 50; i++) {
      outcomes.push(rejection(one.cache.getOrSet('k', load)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const error of await Promise.all(outcomes)) expect(error).toMatchObject({ message: 'no origin' })
    // 24 turns of the loop a call: those who come in the meantime share it.
    expect([most, calls <= 6]).toEqual([1, true])
  })

  it('rejects with its own error where a time-out would come later', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const error = await rejection(one.cache.getOrSet('k', failing, waits))
    expect(error).not.toBeInstanceOf(LoadTimeoutError)
    expect(world.clock.pendingTimers).toBe(0)
  })
})

describe('early refresh (R15)', () => {
  /** How often in a hundred reads an entry whose load took a second is loaded anew, with so much of its minute left. */
  async function refreshes(leftMs: number, earlyRefresh = true): Promise<number> {
    const world = new MemoryWorld()
    const one = world.process({ earlyRefresh })
    let loads = 0
    const slow = (): Promise<number> => new Promise((resolve) => world.clock.timer(1_000, () => resolve(1)))
    const counted = (): number => ++loads
    const first = one.cache.getOrSet('k', slow, { ttl: '60s' })
    await world.clock.advance(1_000)
    await first
    await world.clock.advance(60_000 - leftMs)
    const entry = world.space.entry('k')!
    let refreshed = 0
    for (let i = 0; i < 100; i++) {
      const before = loads
      await one.cache.getOrSet('k', counted, { ttl: '60s' })
      await idle()
      if (loads > before) refreshed++
      // As if this one had never been loaded anew, and at the same moment.
      world.space.store('k', entry)
    }
    return refreshed
  }

  it('is the likelier the nearer the end, against the load’s time, and never far from it', async () => {
    expect(await refreshes(50_000)).toBe(0)
    // One of them in e² and in e^0.1.
    const [sometimes, mostly] = [await refreshes(2_000), await refreshes(100)]
    expect(sometimes).toBeGreaterThan(3)
    expect(sometimes).toBeLessThan(30)
    expect(mostly).toBeGreaterThan(75)
    expect(mostly).toBeLessThan(100)
  })

  it('may be turned off', async () => {
    expect(await refreshes(100, false)).toBe(0)
  })
})
