import { describe, expect, it } from 'vitest'
import { HeldLoad, idle, MemoryWorld, stateOf } from '../support/memory-world.js'

const secretly = { encryption: { keys: [{ id: 'k', secret: Buffer.alloc(32, 1) }] } }

describe('a version (R14)', () => {
  it('is not compared with that of a generation which is over, though this process did not know', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await one.cache.set('k', 'void', { version: 5 })
    // What is void lies there until it is reclaimed.
    other.store.hold('reclaim')
    await other.cache.clear()
    await one.cache.set('k', 'restored', { version: 1 })
    expect(await other.cache.get('k')).toBe('restored')
    await one.cache.set('k', 'older', { version: 0 })
    expect(await other.cache.get('k')).toBe('restored')
  })

  it('that is refused leaves the load under way its lease', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await one.cache.set('k', 'stale', { version: 5, ttl: '1s', grace: '1m' })
    await world.clock.advance('2s')
    const load = new HeldLoad<string>()
    expect(await one.cache.getOrSet('k', load.load)).toBe('stale')
    await idle()
    await other.cache.set('k', 'older', { version: 4 })
    load.answer('new')
    await idle()
    expect(await other.cache.get('k')).toBe('new')
  })
})

describe('an entry that this process can not read', () => {
  it('is loaded anew at once, however valid it is', async () => {
    const world = new MemoryWorld()
    const [writer, stranger] = [world.process(secretly), world.process()]
    await writer.cache.set('k', 'secret')
    stranger.store.hold('read')
    const value = stranger.cache.getOrSet('k', () => 'loaded')
    ;(await stranger.store.next('read')).deliver()
    expect(await stateOf(value)).toEqual({ value: 'loaded' })
    stranger.store.pass('read')
    expect(await stranger.cache.get('k')).toBe('loaded')
  })

  it('and that came between the read and the lease is nobody’s value: it is loaded anew', async () => {
    const world = new MemoryWorld()
    const [writer, stranger] = [world.process(secretly), world.process()]
    stranger.store.hold('acquire')
    const values = Promise.all([
      stranger.cache.getOrSet('k', () => 'loaded'),
      stranger.cache.getOrSet('k', () => 'loaded'),
    ])
    const acquire = await stranger.store.next('acquire')
    await writer.cache.set('k', 'secret')
    stranger.store.pass('acquire')
    acquire.deliver()
    expect(await stateOf(values)).toEqual({ value: ['loaded', 'loaded'] })
  })
})

describe('an entry of a scope', () => {
  it('is cleared with it, whatever its tags', async () => {
    const world = new MemoryWorld()
    const { cache } = world.process()
    const tenant = cache.forTenant('t')
    await tenant.set('set', 1, { tags: ['x'] })
    await tenant.getOrSet('loaded', ({ addTags }) => (addTags('y'), 1), { tags: () => ['x'] })
    await idle()
    expect(await tenant.getMany(['set', 'loaded'])).toEqual([1, 1])
    await tenant.clear()
    expect(await tenant.getMany(['set', 'loaded'])).toEqual([null, null])
  })
})

describe('a null that was loaded', () => {
  it('is cleared with the scope that it was loaded in, whatever tags depend on the value', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const tenant = one.cache.forTenant('t')
    await tenant.getOrSet<string | null>('k', () => null, { cacheNull: '1m', tags: (value) => [value!] })
    await idle()
    expect(await tenant.has('k')).toBe(true)
    await tenant.clear()
    expect(await tenant.has('k')).toBe(false)
  })
})
