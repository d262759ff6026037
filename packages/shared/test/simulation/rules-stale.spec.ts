import { describe, expect, it } from 'vitest'
import { HeldLoad, idle, MemoryWorld } from '../support/memory-world.js'

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
