import { describe, expect, it } from 'vitest'
import type { ReadReply } from '../../src/cache/cache-store.js'
import { HeldLoad, idle, MemoryWorld, stateOf, type TestProcess } from '../support/memory-world.js'

/** Work of a process that is under way, around targets that are held. */
async function working(
  { cache }: TestProcess,
  targets: { keys?: string[]; tags?: string[] },
): Promise<{ commit(): Promise<void> }> {
  const work = new HeldLoad<void>()
  const outcome = cache.invalidateAround(targets, work.load, { hold: '3s' })
  await idle()
  expect(work.calls).toBe(1)
  return {
    commit: async () => {
      work.answer(undefined)
      await outcome
    },
  }
}

describe('a hold (R13)', () => {
  it('makes a miss of what is written under it, in every process, and of what was judged by a tag', async () => {
    const world = new MemoryWorld()
    const [owner, other, third] = [world.process(), await world.knowing('x'), world.process()]
    const work = await working(owner, { keys: ['k'], tags: ['x'] })
    await other.cache.set('k', 'written')
    await other.cache.set('tagged', 'written', { tags: ['x'] })
    await other.cache.set('free', 'written')
    for (const { cache } of [owner, other, third]) {
      expect(await cache.getMany(['k', 'tagged', 'free'])).toEqual([null, null, 'written'])
    }
    await work.commit()
    for (const { cache } of [owner, other, third]) {
      expect(await cache.getMany(['k', 'tagged', 'free'])).toEqual([null, null, 'written'])
    }
  })

  it('outlives a delete and an invalidation by others', async () => {
    const world = new MemoryWorld()
    const [owner, other] = [world.process(), world.process()]
    const work = await working(owner, { keys: ['k'], tags: ['x'] })
    await other.cache.delete('k')
    await other.cache.invalidateByTag('x')
    await other.cache.set('k', 'written')
    await other.cache.set('tagged', 'written', { tags: ['x'] })
    expect(await other.cache.getMany(['k', 'tagged'])).toEqual([null, null])
    await work.commit()
  })

  it('refuses the fill of a load that began before it', async () => {
    const world = new MemoryWorld()
    const [owner, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const loading = other.cache.getOrSet('k', load.load)
    await idle()
    const work = await working(owner, { keys: ['k'] })
    load.answer('old')
    await loading
    await idle()
    expect(world.space.entry('k')).toBeNull()
    await work.commit()
  })

  it('that comes between a read and its lease keeps the load from being shared with who came after the commit', async () => {
    const world = new MemoryWorld()
    const [owner, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    other.store.hold('acquire')
    const early = other.cache.getOrSet('k', load.load)
    const acquire = await other.store.next('acquire')
    const work = await working(owner, { keys: ['k'] })
    acquire.deliver()
    other.store.pass('acquire')
    await idle()
    // The work has committed, and its process may die now.
    const late = other.cache.getOrSet('k', () => 'new')
    await idle()
    load.answer('old')
    expect(await early).toBe('old')
    expect(await late).toBe('new')
    await work.commit()
  })

  it('that comes between a read and its lease keeps the load from being stored: a read may see the entry and then no hold', async () => {
    const world = new MemoryWorld()
    const [owner, other, third] = [world.process(), world.process(), world.process()]
    other.store.hold('acquire')
    const early = other.cache.getOrSet('k', () => 'old')
    const acquire = await other.store.next('acquire')
    const work = await working(owner, { keys: ['k'] })
    acquire.deliver()
    expect(await early).toBe('old')
    await idle()
    // The work has committed. This read comes to the entry before the end of the hold and to the clock after it.
    third.store.hold('read')
    const reading = third.cache.get('k')
    const read = await third.store.next('read')
    read.arrive()
    await work.commit()
    const { clock } = await world.process().store.read([], null)
    read.reply((reply) => ({ ...(reply as ReadReply), clock }))
    expect(await reading).toBeNull()
  })

  it('that the answer about a lease did not show keeps its load from being shared, too', async () => {
    const world = new MemoryWorld()
    const [owner, other] = [world.process(), world.process()]
    await world.stored('something', 1)
    const load = new HeldLoad<string>()
    other.store.hold('acquire')
    const early = other.cache.getOrSet('k', load.load)
    const acquire = await other.store.next('acquire')
    // On a Cluster the lease and the clock lie on two masters: here the clock answers first.
    const { clock } = await world.process().store.read([], null)
    const work = await working(owner, { keys: ['k'] })
    acquire.arrive()
    acquire.reply((reply) => ({ ...(reply as ReadReply), clock }))
    other.store.pass('acquire')
    await idle()
    const late = other.cache.getOrSet('k', () => 'new')
    await idle()
    load.answer('old')
    expect(await early).toBe('old')
    expect(await late).toBe('new')
    expect(await other.cache.get('k')).toBeNull()
    await work.commit()
    expect(await other.cache.get('k')).toBeNull()
  })

  it('of a process that died makes misses until somebody has seen that it is over and finished it', async () => {
    const world = new MemoryWorld()
    const [owner, other] = [world.process(), world.process()]
    // Nothing more of that process ever arrives.
    owner.store.hold('renewHold', 'endHold', 'placeHold')
    void owner.cache.invalidateAround({ keys: ['k'], tags: ['x'] }, () => new Promise(() => undefined), { hold: '3s' })
    ;(await owner.store.next('placeHold')).deliver()
    await idle()
    await other.cache.set('k', 'old')
    await other.cache.set('tagged', 'old', { tags: ['x'] })
    await world.clock.advance('3s')
    expect(await other.cache.getMany(['k', 'tagged'])).toEqual([null, null])
    await idle()
    expect(world.space.tagClock.holds()).toEqual([])
    expect(world.space.entry('k')).toBeNull()
    expect(await other.cache.getMany(['k', 'tagged'])).toEqual([null, null])
    expect(await other.cache.getOrSet('k', () => 'new')).toBe('new')
    await idle()
    expect(await other.cache.get('k')).toBe('new')
  })

  it('asks for no lease while it is seen, and runs one load a process', async () => {
    const world = new MemoryWorld()
    const [owner, other] = [world.process(), world.process()]
    const work = await working(owner, { keys: ['k'] })
    const load = new HeldLoad<string>()
    const both = Promise.all([other.cache.getOrSet('k', load.load), other.cache.getOrSet('k', load.load)])
    expect(await stateOf(both)).toBe('pending')
    expect(load.calls).toBe(1)
    expect(other.store.sent).not.toContain('acquire')
    load.answer('loaded')
    expect(await both).toEqual(['loaded', 'loaded'])
    await work.commit()
  })
})

/**
 * Masters that answer side by side: the clock is read before the hold, the lease is stored after its R11. So the load is stored under the hold,
 * and a read that takes the entry before the hold's end, and the clock after it, would answer it (the model's row "grant delta may precede SET").
 */
describe('a hold that the answer about a lease could not show (R8, R13, a Cluster)', () => {
  it.each([
    ['a key', { keys: ['k'] }],
    ['a tag', { tags: ['x'] }],
  ])('keeps the load from being stored: %s', async (_, targets) => {
    const world = new MemoryWorld()
    const [owner, other, third] = [world.process(), world.process(), world.process()]
    other.store.inOrder = false
    await world.stored('something', 1)
    other.store.hold('acquire')
    const early = other.cache.getOrSet('k', () => 'old', { tags: ['x'] })
    const acquire = await other.store.next('acquire')
    const { clock: before } = await world.process().store.read([], null)
    const work = await working(owner, targets)
    acquire.arrive()
    acquire.reply((reply) => ({ ...(reply as ReadReply), clock: before }))
    expect(await early).toBe('old')
    await idle()
    third.store.hold('read')
    const reading = third.cache.get('k')
    const read = await third.store.next('read')
    read.arrive()
    await work.commit()
    const { clock } = await world.process().store.read([], null)
    read.reply((reply) => ({ ...(reply as ReadReply), clock }))
    expect(await reading).toBeNull()
    expect(await owner.cache.getOrSet('k', () => 'new')).toBe('new')
  })
})
