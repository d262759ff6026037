import { describe, expect, it } from 'vitest'
import { loseClock } from '../support/memory-faults.js'
import { HeldLoad, idle, MemoryWorld } from '../support/memory-world.js'

describe('invalidation by tag (R1)', () => {
  it('makes entries with the tag a miss in every process, whatever it knew, and leaves the others', async () => {
    const world = new MemoryWorld()
    const [knowing, fresh] = [await world.knowing('x', 'y'), world.process()]
    await world.stored('x1', 1, 'x')
    await world.stored('both', 2, 'y', 'x')
    await world.stored('y1', 3, 'y')
    await world.stored('plain', 4)
    await fresh.cache.invalidateByTag('x')
    for (const { cache } of [knowing, fresh, world.process()]) {
      expect(await cache.getMany(['x1', 'both', 'y1', 'plain'])).toEqual([null, null, 3, 4])
    }
  })

  it('is one call, however many entries carry the tag', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    await one.cache.setMany(Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: i, tags: ['x'] })))
    one.store.sent.length = 0
    await one.cache.invalidateByTag('x')
    expect(one.store.sent).toEqual(['bumpTags'])
  })

  it('refuses a load that began before it: its entry is older than the mark', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load, { tags: ['x'] })
    await idle()
    await other.cache.invalidateByTag('x')
    // Another read of this process moves its S past the mark while the load runs.
    await one.cache.get('known')
    load.answer('old')
    expect(await value).toBe('old')
    await idle()
    expect(await one.cache.get('k')).toBeNull()
    expect(await other.cache.get('k')).toBeNull()
  })

  it('counts for tags that the loader adds, also when they were invalidated while it ran', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const loading = one.cache.getOrSet('k', (context) => {
      context.addTags('x')
      return load.load()
    })
    await idle()
    await other.cache.invalidateByTag('x')
    load.answer('old')
    await loading
    await idle()
    expect(await other.cache.get('k')).toBeNull()
  })
})

describe('what a process knows of the clock (R3)', () => {
  it('is not moved by the answer of its own invalidation: others may have marked tags in between', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x', 'y'), world.process()]
    await world.stored('k', 'old', 'y')
    await other.cache.invalidateByTag('y')
    await one.cache.invalidateByTag('x')
    expect(await one.cache.get('k')).toBeNull()
  })

  it('is not kept when the generation moves: the marks of the new one count from its own sequence', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    for (let i = 0; i < 4; i++) await other.cache.invalidateByTag('z')
    await one.cache.get('known')
    loseClock(world.space)
    // The mark of x in the new clock lies below the sequence that this process had reached in the old one, and the new one goes beyond it.
    await world.stored('k', 'old', 'x')
    await other.cache.invalidateByTag('x')
    for (let i = 0; i < 8; i++) await other.cache.invalidateByTag('z')
    await one.cache.get('nothing')
    expect(await one.cache.get('k')).toBeNull()
  })

  it('is void without a clock: every entry is a miss, and stays one under the next clock', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await world.stored('tagged', 1, 'x')
    await world.stored('plain', 1)
    expect(await one.cache.getMany(['tagged', 'plain'])).toEqual([1, 1])
    loseClock(world.space)
    expect(await one.cache.getMany(['tagged', 'plain'])).toEqual([null, null])
    await other.cache.set('new', 1)
    expect(await one.cache.getMany(['tagged', 'plain', 'new'])).toEqual([null, null, 1])
  })

  it('is not applied to another generation: a delta asked under the one before has a gap', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    for (let i = 0; i < 4; i++) await other.cache.invalidateByTag('z')
    await one.cache.get('known')
    one.store.hold('read')
    const asked = one.cache.get('nothing')
    const underTheOld = await one.store.next('read')
    loseClock(world.space)
    await world.stored('k', 'old', 'x')
    // This process learns of the new generation, and of x in it, while the old question is still on its way.
    one.store.pass('read')
    expect(await one.cache.get('k')).toBe('old')
    await other.cache.invalidateByTag('x')
    for (let i = 0; i < 8; i++) await other.cache.invalidateByTag('z')
    underTheOld.deliver()
    await asked
    expect(await one.cache.get('k')).toBeNull()
  })

  it('is not taken from a delta that was cut', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    await world.stored('k', 'old', 'x')
    await other.cache.invalidateByTag('x')
    const many = Array.from({ length: 1_000 }, (_, i) => `t${i}`)
    for (let i = 0; i < 3; i++) await other.cache.invalidateByTag(many.map((tag) => `${tag}-${i}`))
    expect(await one.cache.get('k')).toBeNull()
    expect(await one.cache.get('k')).toBeNull()
  })

  it('takes nothing back when a reply is handed on late', async () => {
    const world = new MemoryWorld()
    const [one, other] = [await world.knowing('x'), world.process()]
    one.store.hold('read')
    const early = one.cache.get('nothing')
    const first = await one.store.next('read')
    const late = one.cache.get('nothing at all')
    const second = await one.store.next('read')
    await other.cache.invalidateByTag('x')
    first.arrive()
    await world.stored('k', 'old', 'x')
    await other.cache.invalidateByTag('x')
    second.deliver()
    await late
    first.reply()
    await early
    one.store.pass('read')
    expect(await one.cache.get('k')).toBeNull()
  })
})

describe('the look-up of a tag (R4)', () => {
  it('happens once for a tag, and then the table knows it', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    await world.stored('k', 1, 'x')
    for (let i = 0; i < 3; i++) expect(await one.cache.get('k')).toBe(1)
    expect(one.store.sent).toEqual(['read', 'tags', 'read', 'read'])
  })

  it('is not shared once it was sent: who asks later asks anew', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await world.stored('k', 'old', 'x')
    one.store.hold('read', 'tags')
    const before = one.cache.get('k')
    const firstRead = await one.store.next('read')
    const after = one.cache.get('k')
    const secondRead = await one.store.next('read')
    firstRead.deliver()
    const firstLookUp = await one.store.next('tags')
    firstLookUp.arrive()
    await other.cache.invalidateByTag('x')
    secondRead.deliver()
    const secondLookUp = await one.store.next('tags')
    secondLookUp.deliver()
    firstLookUp.reply()
    expect(await before).toBe('old')
    expect(await after).toBeNull()
  })

  it('of a tag whose mark was dropped judges by the floor, now and from the table later', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process({ maxTags: 100 }), world.process({ maxTags: 100 })]
    await world.stored('k', 'old', 'x')
    await one.cache.get('k')
    // This process sees the mark of x, and forgets it for a hundred others; the clock drops it too, below all that is asked for again.
    await other.cache.invalidateByTag('x')
    await one.cache.get('nothing')
    await other.cache.invalidateByTag(Array.from({ length: 100 }, (_, i) => `t${i}`))
    await one.cache.get('nothing')
    await world.stored('new', 'new', 'x')
    for (let i = 0; i < 2; i++) expect(await one.cache.getMany(['k', 'new'])).toEqual([null, 'new'])
  })
})

describe('a read (R6)', () => {
  it('is shared while it is unsent, and not after', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    await other.cache.set('k', 'old')
    one.store.hold('read')
    const before = [one.cache.get('k'), one.cache.get('k')]
    const first = await one.store.next('read')
    first.arrive()
    await other.cache.delete('k')
    const after = one.cache.get('k')
    const second = await one.store.next('read')
    expect(first.args[0]).toEqual(['k'])
    second.deliver()
    first.reply()
    expect(await Promise.all(before)).toEqual(['old', 'old'])
    expect(await after).toBeNull()
  })

  it('of a hundred keys in a tick is one round trip', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    await Promise.all(keys.map((key) => one.cache.get(key)))
    expect(one.store.sent).toEqual(['read'])
  })
})

describe('an entry (R5)', () => {
  it('ends with its time, by the clock of the store', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    await one.cache.set('k', 1, '5s')
    await world.clock.advance('4999ms')
    expect(await one.cache.get('k')).toBe(1)
    await world.clock.advance('1ms')
    expect(await one.cache.get('k')).toBeNull()
  })
})
