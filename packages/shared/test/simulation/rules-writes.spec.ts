import { describe, expect, it } from 'vitest'
import { CacheUnavailableError } from '../../src/cache/errors.js'
import { HeldLoad, idle, MemoryWorld, stateOf } from '../support/memory-world.js'

describe('delete (R11)', () => {
  it('refuses a load that is under way: its fill finds no lease', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load)
    await idle()
    await other.cache.delete('k')
    load.answer('old')
    expect(await value).toBe('old')
    await idle()
    expect(await one.cache.get('k')).toBeNull()
    expect(await other.cache.get('k')).toBeNull()
  })

  it('removes what a fill stores before it, and refuses the one after it', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('fill')
    expect(await one.cache.getOrSet('a', () => 'old')).toBe('old')
    expect(await one.cache.getOrSet('b', () => 'old')).toBe('old')
    ;(await one.store.next('fill')).deliver()
    expect(await other.cache.delete(['a', 'b'])).toBe(1)
    ;(await one.store.next('fill')).deliver()
    await idle()
    expect(await other.cache.getMany(['a', 'b'])).toEqual([null, null])
  })

  it('sends the waiters of a load that it refused to look again, and one of them loads', async () => {
    const world = new MemoryWorld()
    const [holder, waiter] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    void holder.cache.getOrSet('k', load.load)
    await idle()
    const waiting = waiter.cache.getOrSet('k', () => 'new')
    expect(await stateOf(waiting)).toBe('pending')
    await waiter.cache.delete('k')
    expect(await stateOf(waiting)).toEqual({ value: 'new' })
    load.answer('old')
    await idle()
    expect(await holder.cache.get('k')).toBe('new')
  })

  it('whose answer was lost rejects, and may be called again', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    await one.cache.set('k', 1)
    one.store.hold('delete')
    const lost = one.cache.delete('k')
    const call = await one.store.next('delete')
    call.arrive()
    call.giveUp()
    await expect(lost).rejects.toThrow(CacheUnavailableError)
    one.store.pass('delete')
    expect(await one.cache.delete('k')).toBe(0)
    expect(await one.cache.get('k')).toBeNull()
  })
})

describe('clear (R2)', () => {
  it('refuses what was loading, in every process, and those who came for it later', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const before = one.cache.getOrSet('k', load.load)
    await idle()
    await other.cache.clear()
    const after = one.cache.getOrSet('k', () => 'new')
    await idle()
    load.answer('old')
    expect(await before).toBe('old')
    expect(await after).toBe('new')
    expect(await other.cache.get('k')).toBe('new')
  })

  it('is seen by a process that knew the generation before, tagged or not', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await world.stored('plain', 1)
    await world.stored('tagged', 1, 'x')
    expect(await one.cache.getMany(['plain', 'tagged'])).toEqual([1, 1])
    // What is void lies there until it is reclaimed.
    other.store.hold('reclaim')
    await other.cache.clear()
    expect(await one.cache.getMany(['plain', 'tagged'])).toEqual([null, null])
    await one.cache.set('tagged', 2, { tags: ['x'] })
    expect(await other.cache.get('tagged')).toBe(2)
  })

  it('between a read and the look-up of its tags makes the entry a miss', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await world.stored('k', 'old', 'x')
    one.store.hold('tags')
    const reading = one.cache.get('k')
    const lookUp = await one.store.next('tags')
    await other.cache.clear()
    lookUp.deliver()
    expect(await reading).toBeNull()
  })
})

describe('set (R14)', () => {
  it('drops the lease of a load under way, so that an older value never lands over it', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load)
    await idle()
    await other.cache.set('k', 'written')
    load.answer('old')
    expect(await value).toBe('old')
    await idle()
    expect(await one.cache.get('k')).toBe('written')
  })

  it('is sent once more when a tag of it has moved since this process looked', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await other.cache.invalidateByTag('x')
    await one.cache.set('k', 1, { tags: ['x'] })
    expect(one.store.sent.filter((operation) => operation === 'set')).toHaveLength(2)
    expect(await other.cache.get('k')).toBe(1)
  })

  it('is sent once when only other tags have moved', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await other.cache.invalidateByTag('y')
    await one.cache.set('k', 1, { tags: ['x'] })
    expect(one.store.sent).toEqual(['set'])
    expect(await other.cache.get('k')).toBe(1)
  })

  it('is sent once more when the generation has moved, tagged or not', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await other.cache.clear()
    await one.cache.setMany([
      { key: 'plain', value: 1 },
      { key: 'tagged', value: 2, tags: ['x'] },
    ])
    expect(await other.cache.getMany(['plain', 'tagged'])).toEqual([1, 2])
  })

  it('loses against an invalidation between its two sendings: the second carries what the first was told', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await other.cache.invalidateByTag('x')
    one.store.hold('set')
    const setting = one.cache.set('k', 'old', { tags: ['x'] })
    const first = await one.store.next('set')
    first.arrive()
    await other.cache.invalidateByTag('x')
    first.reply()
    ;(await one.store.next('set')).deliver()
    await setting
    expect(await other.cache.get('k')).toBeNull()
  })

  it('leaves no gap in what this process knows of other tags', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x', 'y'), world.process()]
    await other.cache.invalidateByTag('x')
    await world.stored('other', 'old', 'y')
    one.store.hold('set')
    const setting = one.cache.set('k', 1, { tags: ['x'] })
    const first = await one.store.next('set')
    first.arrive()
    await other.cache.invalidateByTag('y')
    first.reply()
    ;(await one.store.next('set')).deliver()
    await setting
    expect(await one.cache.get('other')).toBeNull()
  })

  it('that its caller has given up does not land later', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    await one.cache.set('k', 'first')
    one.store.hold('set')
    const late = one.cache.set('k', 'late', { onUnavailable: 'throw' })
    const call = await one.store.next('set')
    call.giveUp()
    await expect(late).rejects.toThrow(CacheUnavailableError)
    one.store.pass('set')
    // What failed is owed to the store as a delete of its key (R24), and paid before the next read.
    expect(await one.cache.get('k')).toBeNull()
    await one.cache.set('k', 'second')
    call.arrive()
    expect(await one.cache.get('k')).toBe('second')
  })
})

describe('touch (R14)', () => {
  it('does not revive what was removed, and gives a replaced entry no new life', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await one.cache.set('k', 1, 10)
    one.store.hold('touch')
    const removed = one.cache.touch('k', 100)
    const call = await one.store.next('touch')
    await other.cache.delete('k')
    call.deliver()
    expect(await removed).toBe(false)
    expect(await other.cache.has('k')).toBe(false)
    await other.cache.set('k', 1, 10)
    const replaced = one.cache.touch('k', 100)
    const second = await one.store.next('touch')
    await other.cache.invalidateByTag('x')
    await other.cache.get('k')
    await other.cache.set('k', 2, 10)
    second.deliver()
    expect(await replaced).toBe(false)
    expect(await other.cache.ttl('k')).toBe(10)
  })
})
