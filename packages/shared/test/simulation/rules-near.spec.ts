import { describe, expect, it } from 'vitest'
import type { ReadReply, StoredEntry } from '../../src/cache/cache-store.js'
import { FOREIGN_CODEC } from '../../src/kernel/codec/envelope.js'
import { HeldLoad, idle, stateOf } from '../support/memory-world.js'
import { answerOf, kept, NearWorld, openTickets } from '../support/near-world.js'

describe('a ticket (R17)', () => {
  it('keeps a reply that comes late out of L1: its key was written after it was read', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [world.near(), world.process()]
    near.store.hold('read')
    const reading = near.cache.get('k')
    const read = await near.store.next('read')
    read.arrive()
    await other.cache.set('k', 'new')
    read.reply()
    expect(await reading).toBe('old')
    near.store.pass('read')
    expect(await answerOf(near, 'k')).toEqual(['new', 'l2'])
  })

  it('of a reply that looks its tags up is looked at again when they are here', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [world.near(), world.process()]
    near.store.hold('tags')
    const reading = near.cache.get('k')
    const tags = await near.store.next('tags')
    tags.arrive()
    await other.cache.delete('k')
    tags.reply()
    expect(await reading).toBe('old')
    near.store.pass('tags')
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })

  it('of a read that was sent when no push came is worth nothing, whenever it is answered', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [world.near(), world.process()]
    near.pushes.lose()
    near.pushes.notice()
    near.store.hold('read')
    const reading = near.cache.get('k')
    const read = await near.store.next('read')
    read.arrive()
    await other.cache.set('k', 'new')
    near.pushes.reopen()
    read.reply()
    await reading
    near.store.pass('read')
    expect(near.pushes.live).toBe(true)
    expect(await answerOf(near, 'k')).toEqual(['new', 'l2'])
  })

  it('is none between TRACKING and SUBSCRIBE, and before the first PONG', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [world.near(), world.process()]
    near.pushes.lose()
    near.pushes.notice()
    near.pushes.hold()
    near.pushes.reopen()
    expect(await near.cache.get('k')).toBe('old')
    await other.cache.set('k', 'new')
    near.pushes.arrive()
    expect(await near.cache.get('k')).toBe('new')
    near.pushes.deliver()
    near.pushes.arrive()
    near.pushes.deliver()
    expect(near.pushes.live).toBe(true)
    expect(await answerOf(near, 'k')).toEqual(['new', 'l2'])
    expect(await answerOf(near, 'k')).toEqual(['new', 'l1'])
  })

  it('is closed whatever becomes of its read', async () => {
    const world = new NearWorld()
    await world.stored('tagged', 1, 'x')
    await world.stored('plain', 1)
    const near = world.near()
    near.store.hold('read')
    const lost = near.cache.get('plain')
    ;(await near.store.next('read')).giveUp()
    expect(await lost).toBeNull()
    const read = near.cache.getMany(['plain', 'plain', 'missing', 'tagged'])
    const unkept = near.cache.getOrSet('plain', () => 2, { l1: false })
    const call = await near.store.next('read')
    near.store.hold('tags')
    expect(openTickets(near)).toBe(3)
    call.deliver()
    ;(await near.store.next('tags')).giveUp()
    await Promise.all([read, unkept])
    near.store.pass('read', 'tags')
    near.store.hold('acquire')
    const loading = near.cache.getOrSet('missing', () => 1)
    ;(await near.store.next('acquire')).giveUp()
    await loading
    await near.cache.set('short', 1, { l1: { ttl: '1ms' } })
    await near.cache.get('short')
    expect(openTickets(near)).toBe(0)
    near.store.hold('read')
    const closing = near.cache.get('plain2')
    const last = await near.store.next('read')
    await near.cache.close()
    last.deliver()
    await closing
    expect(openTickets(near)).toBe(0)
  })
})

describe('an own write (R17)', () => {
  const writes: [string, (near: { cache: ReturnType<NearWorld['near']>['cache'] }) => Promise<unknown>][] = [
    ['delete', ({ cache }) => cache.delete('k')],
    ['delete of many', ({ cache }) => cache.delete(['other', 'k'])],
    ['set', ({ cache }) => cache.set('k', 'new')],
    ['set of a version', ({ cache }) => cache.set('k', 'new', { version: 7 })],
    ['setMany', ({ cache }) => cache.setMany([{ key: 'k', value: 'new' }])],
    ['setWithTags', ({ cache }) => cache.setWithTags('k', 'new', 60, ['x'])],
    ['touch', ({ cache }) => cache.touch('k', 90)],
    ['invalidateByTag', ({ cache }) => cache.invalidateByTag('x')],
    ['deleteByPattern', ({ cache }) => cache.deleteByPattern('[jk]')],
    ['clear', ({ cache }) => cache.clear()],
    ['invalidateAround of a key', ({ cache }) => cache.invalidateAround({ keys: ['k'] }, async () => 1)],
    ['invalidateAround of a tag', ({ cache }) => cache.invalidateAround({ tags: ['x'] }, async () => 1)],
  ]

  it.each(writes)('is seen at once, before its push comes: %s', async (name, write) => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const near = await world.keeping(['k'])
    near.pushes.hold()
    await write(near)
    const [value, level] = await answerOf(near, 'k')
    expect(level).not.toBe('l1')
    expect(value).toBe(name.startsWith('set') ? 'new' : name === 'touch' ? 'old' : null)
  })

  it.each(writes)('takes its key out of L1 at the call: %s', async (name, write) => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const near = await world.keeping(['k'])
    near.pushes.hold()
    near.store.hold('set', 'delete', 'bumpTags', 'deletePattern', 'clear', 'touch', 'placeHold')
    void write(near).catch(() => undefined)
    await idle()
    const { sent } = near.store
    // Of tags a delta must be waited for; it shows nothing yet.
    const judged = sent.some((operation) => ['bumpTags', 'placeHold'].includes(operation)) && !/key/.test(name)
    sent.length = 0
    expect((await answerOf(near, 'k'))[1]).toBe(judged ? 'l1' : 'l2')
    expect(sent).toEqual(['read'])
  })

  it.each([
    ['set', (near: ReturnType<NearWorld['near']>) => near.cache.set('k', 'new'), ['new', 'l2']],
    ['delete', (near: ReturnType<NearWorld['near']>) => near.cache.delete('k'), [null, null]],
    ['deletePattern', (near: ReturnType<NearWorld['near']>) => near.cache.deleteByPattern('k*'), [null, null]],
    ['clear', (near: ReturnType<NearWorld['near']>) => near.cache.clear(), [null, null]],
    ['touch', (near: ReturnType<NearWorld['near']>) => near.cache.touch('k', 90), ['old', 'l2']],
  ] as const)(
    'makes what was read between its call and its answer of no use: %s',
    async (operation, write, expected) => {
      const world = new NearWorld()
      await world.stored('k', 'old')
      const near = world.near()
      near.pushes.hold()
      near.store.hold(operation)
      const writing = write(near)
      const call = await near.store.next(operation)
      near.store.hold('read')
      const reading = near.cache.get('k')
      const read = await near.store.next('read')
      read.arrive()
      call.deliver()
      await writing
      read.reply()
      expect(await reading).toBe('old')
      near.store.pass('read')
      expect(await answerOf(near, 'k')).toEqual(expected)
    },
  )

  it('that got no answer acts all the same, when it is given up', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const near = world.near()
    near.pushes.hold()
    near.store.hold('delete')
    const deleting = near.cache.delete('k')
    const call = await near.store.next('delete')
    expect(await near.cache.get('k')).toBe('old')
    call.giveUp()
    await expect(deleting).rejects.toThrow()
    expect(await stateOf(near.cache.get('k'))).not.toEqual({ value: 'old' })
  })

  it('of a tag is not undone by a delta that was under way at its answer', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    await world.stored('other', 1)
    const near = await world.keeping(['k'])
    near.pushes.hold()
    near.store.hold('bumpTags', 'read')
    const bumping = near.cache.invalidateByTag('x')
    const bump = await near.store.next('bumpTags')
    const reading = near.cache.get('other')
    const read = await near.store.next('read')
    read.arrive()
    bump.deliver()
    await bumping
    read.reply()
    await reading
    near.store.pass('read')
    expect(await near.cache.get('k')).toBeNull()
  })
})

describe('the lease on hits (R18)', () => {
  it('ends them when nothing was heard for as long as the staleness, and gives them back with the next PONG', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = await world.keeping(['k'], { l1: { staleness: '1s' } })
    near.pushes.hold()
    await world.clock.advance(999)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    await world.clock.advance(1)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    near.pushes.ping()
    await world.clock.advance(600)
    near.pushes.arrive()
    near.pushes.deliver()
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    await world.clock.advance(400)
    expect((await answerOf(near, 'k'))[1]).toBe('l2')
  })

  it('leaves no hit older than the staleness, however long the way of the pushes is blocked', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [await world.keeping(['k']), world.process()]
    near.pushes.hold()
    await other.cache.set('k', 'new')
    await world.clock.advance(2_000)
    expect(await near.cache.get('k')).toBe('new')
  })
})

describe('tags (R19)', () => {
  it('of a hit wait for a delta that was sent after the clock was written', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('x')
    near.store.hold('read')
    const reading = near.cache.get('k')
    expect(await stateOf(reading)).toBe('pending')
    const delta = await near.store.next('read')
    near.store.pass('read')
    delta.deliver()
    expect(await reading).toBeNull()
  })

  it('that are not the ones that were written are answered from L1 after it', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('y')
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    expect(near.store.sent).toEqual(['read'])
    near.store.sent.length = 0
    expect(await near.cache.get('k')).toBe('v')
    expect(near.store.sent).toEqual([])
  })

  it('are not cleared by the late answer of an older delta', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    near.store.hold('read')
    const reading = near.cache.get('something else')
    const older = await near.store.next('read')
    older.arrive()
    await other.cache.invalidateByTag('x')
    older.reply()
    await reading
    near.store.pass('read')
    expect(await near.cache.get('k')).toBeNull()
  })

  it('wait once, however often the clock is written', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('y')
    near.store.hold('read')
    const answer = answerOf(near, 'k')
    const delta = await near.store.next('read')
    delta.arrive()
    await other.cache.invalidateByTag('y')
    delta.reply()
    expect(await stateOf(answer)).toEqual({ value: ['v', 'l1'] })
    expect(near.store.count('read')).toBe(0)
  })

  it('of many hits of one tick wait for one delta', async () => {
    const world = new NearWorld()
    const keys = ['a', 'b', 'c', 'd']
    for (const key of keys) await world.stored(key, key, 'x')
    const [near, other] = [await world.keeping(keys), world.process()]
    await other.cache.invalidateByTag('y')
    expect(await near.cache.getMany(keys)).toEqual(keys)
    expect(near.store.sent).toEqual(['read'])
  })

  it('of a hit that begins while a delta is under way wait for the next one', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('y')
    near.store.hold('read')
    const first = near.cache.get('k')
    const delta = await near.store.next('read')
    delta.arrive()
    await other.cache.invalidateByTag('x')
    const second = near.cache.get('k')
    delta.reply()
    expect(await first).toBe('old')
    const third = near.cache.get('k')
    const next = await near.store.next('read')
    near.store.pass('read')
    next.deliver()
    expect(await third).toBeNull()
    expect(await second).toBeNull()
  })

  it('do not disturb entries that have none', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('x')
    expect(await near.cache.get('k')).toBe('v')
    expect(near.store.sent).toEqual([])
  })

  it('are judged anew when the clock has moved on, also for an entry that was good a moment ago', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    expect(await near.cache.get('k')).toBe('old')
    await other.cache.invalidateByTag('x')
    // Another read brings the delta: nothing is left to wait for.
    await near.cache.get('something else')
    expect(await near.cache.get('k')).toBeNull()
  })

  it('that the table has forgotten are no hit: the store says', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    await world.stored('many', 1, ...Array.from({ length: 110 }, (_, i) => `t${i}`))
    const near = await world.keeping(['k'], { maxTags: 100 })
    await near.cache.get('many')
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
  })

  it('of which the oldest marks were dropped are judged by the floor', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    const near = await world.keeping(['k'], { maxTags: 100 })
    const other = world.process({ maxTags: 100 })
    await other.cache.invalidateByTag(Array.from({ length: 99 }, (_, i) => `a${i}`))
    await other.cache.invalidateByTag(Array.from({ length: 99 }, (_, i) => `b${i}`))
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })

  it('under a hold are no hit while it stands (R13)', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    await world.stored('free', 'v', 'y')
    const near = await world.keeping(['k', 'free'])
    expect(await near.cache.get('k')).toBe('v')
    const hold = { owner: 'o', keys: [], tags: ['x'] }
    // The members are there, and the marks are still to come.
    world.space.tagClock.addHold(hold, world.space.nowMs() + 60_000)
    // Another read brings the delta: nothing is left to wait for.
    await near.cache.get('something else')
    expect(await near.cache.get('k')).toBeNull()
    expect(await answerOf(near, 'k')).toEqual([null, null])
    expect(await answerOf(near, 'free')).toEqual(['v', 'l1'])
    world.space.tagClock.removeHold(hold)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
  })

  it('send the hit to the store when the clock can’t be read', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('x')
    near.store.hold('read')
    const reading = near.cache.get('k')
    const delta = await near.store.next('read')
    near.store.pass('read')
    delta.giveUp()
    expect(await reading).toBeNull()
    expect(near.cache.getStatistics().errors).toBe(1)
  })
})

describe('while the process owes an invalidation (R24)', () => {
  it('no tagged entry is answered, though a delta beside a set has come since; and none after it was repeated', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const near = await world.keeping(['k'])
    near.store.hold('bumpTags')
    const invalidating = near.cache.invalidateByTag('x')
    const bump = await near.store.next('bumpTags')
    bump.giveUp()
    await expect(invalidating).rejects.toMatchObject({ pending: true })
    await near.cache.set('other', 1)
    const reading = near.cache.get('k')
    const looking = near.cache.lookup('k')
    expect([await stateOf(reading), await stateOf(looking)]).toEqual(['pending', 'pending'])
    const again = await near.store.next('bumpTags')
    near.pushes.hold()
    again.deliver()
    expect(await reading).toBeNull()
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })

  it('what was repeated acts on L1 at its answer, not only with its push', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const near = await world.keeping(['k'])
    near.store.hold('bumpTags')
    const invalidating = near.cache.invalidateByTag('x')
    const bump = await near.store.next('bumpTags')
    bump.giveUp()
    await expect(invalidating).rejects.toMatchObject({ pending: true })
    // Its delta comes after the failure, and before what is repeated.
    await near.cache.set('other', 1)
    await world.clock.advance(50)
    const again = await near.store.next('bumpTags')
    near.pushes.hold()
    again.deliver()
    await idle()
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })
})

describe('a hit that waits', () => {
  it('is none when its entry goes meanwhile', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('y')
    near.store.hold('read')
    const reading = near.cache.get('k')
    const delta = await near.store.next('read')
    delta.arrive()
    await other.cache.delete('k')
    near.store.pass('read')
    delta.reply()
    expect(await reading).toBeNull()
  })

  it('is none when everything may have been written meanwhile', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k']), world.process()]
    await other.cache.invalidateByTag('y')
    near.store.hold('read')
    const reading = near.cache.get('k')
    const delta = await near.store.next('read')
    delta.arrive()
    near.pushes.lose()
    await other.cache.delete('k')
    near.pushes.notice()
    near.store.pass('read')
    delta.reply()
    expect(await reading).toBeNull()
  })

  it.each([
    ['its entry is written', (world: NearWorld) => world.space.delete('k'), null],
    ['everything is cleared', (world: NearWorld) => world.space.clear(), null],
  ] as const)('for its value to be unpacked is none when %s meanwhile', async (_, write, expected) => {
    const world = new NearWorld()
    const compression = { threshold: 1, algorithm: 'gzip' } as const
    await world.process({ compression }).cache.set('k', 'x'.repeat(5_000))
    const near = world.near({ compression })
    await near.cache.get('k')
    expect(near.cache.getStatistics().bytes).toBeGreaterThan(0)
    const reading = near.cache.get('k')
    write(world)
    expect(await reading).toBe(expected)
    expect(near.cache.getStatistics()).toMatchObject({ l1: { hits: 0, misses: 2 } })
  })
})

describe('the generation', () => {
  it('of an entry must be the clock’s, also before the mark of a clear is heard of (R2)', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [await world.keeping(['k']), world.process()]
    near.pushes.hold()
    await other.cache.clear()
    // A delta shows that the table is void, a base what is new.
    await near.cache.getMany(['x'])
    await near.cache.getMany(['x'])
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })

  it('is forgotten with the clock, and what had tags is no hit', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const near = await world.keeping(['k'])
    world.space.clear()
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })
})

describe('a reset (R20)', () => {
  it('empties L1: what was written while nobody told is not answered', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [await world.keeping(['k']), world.process()]
    near.pushes.lose()
    await other.cache.set('k', 'new')
    near.pushes.notice()
    near.pushes.reopen()
    expect(near.pushes.live).toBe(true)
    expect(await answerOf(near, 'k')).toEqual(['new', 'l2'])
  })

  it('is not undone by a read of the epoch before', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [world.near(), world.process()]
    near.store.hold('read')
    const reading = near.cache.get('k')
    const read = await near.store.next('read')
    read.arrive()
    near.pushes.lose()
    await other.cache.set('k', 'new')
    near.pushes.notice()
    near.pushes.reopen()
    read.reply()
    await reading
    near.store.pass('read')
    expect(await answerOf(near, 'k')).toEqual(['new', 'l2'])
  })

  it('has tagged entries wait again: marks may have been missed', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v', 'x')
    const near = await world.keeping(['k'])
    near.pushes.endEpoch('data connection')
    near.pushes.ping()
    await near.cache.get('k')
    near.store.sent.length = 0
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
  })

  it('is what a redirected answer counts as: it enters nothing', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = world.near()
    near.store.hold('read')
    const reading = near.cache.get('k')
    const read = await near.store.next('read')
    read.arrive()
    read.reply((reply) => {
      const { sources, ...rest } = reply as ReadReply
      return { ...rest, sources: sources.map((source) => ({ ...source!, redirected: true })) }
    })
    expect(await reading).toBe('v')
    near.store.pass('read')
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
  })
})

describe('strict (R21)', () => {
  const strict = { l1: { staleness: 'strict' } } as const

  it('looks the entry up after everything written before the read was heard of', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [await world.keeping(['k'], strict), world.process()]
    near.pushes.hold()
    await other.cache.set('k', 'new')
    const reading = near.cache.get('k')
    await idle()
    expect(near.pushes.asking).toEqual(['PING'])
    near.pushes.arrive()
    expect(near.pushes.waiting).toEqual(['key k', 'PONG'])
    near.pushes.deliver()
    expect(await reading).toBe('new')
  })

  it('answers from L1 without asking the store', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = await world.keeping(['k'], strict)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    expect(await near.cache.getOrSet('k', () => 'called')).toBe('v')
    expect(near.store.sent).toEqual([])
  })

  it('has a tag judged by a delta that was sent after the PONG', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old', 'x')
    const [near, other] = [await world.keeping(['k'], strict), world.process()]
    near.pushes.hold()
    await other.cache.invalidateByTag('x')
    const reading = near.cache.get('k')
    await idle()
    expect(near.store.sent).toEqual([])
    near.pushes.arrive()
    near.pushes.deliver()
    expect(await reading).toBeNull()
  })

  it('goes to the store when no PONG comes in time, or one of another epoch', async () => {
    const world = new NearWorld()
    await world.stored('k', 'old')
    const [near, other] = [await world.keeping(['k'], strict), world.process()]
    near.pushes.hold()
    await other.cache.set('k', 'new')
    const late = near.cache.get('k')
    await world.clock.advance(500)
    expect(await late).toBe('new')
    near.pushes.pass()
    await kept(near, 'k')
    near.pushes.hold()
    const reset = near.cache.lookup('k')
    await idle()
    near.pushes.endEpoch('another one')
    near.pushes.arrive()
    near.pushes.deliver()
    expect((await reset).level).toBe('l2')
  })
})

describe('inside a load (R22)', () => {
  it('nothing is read from L1: what is stale in it would be stored for a lifetime', async () => {
    const world = new NearWorld()
    await world.stored('part', 'old')
    const [near, other] = [await world.keeping(['part']), world.process()]
    near.pushes.hold()
    await other.cache.set('part', 'new')
    const { cache } = near
    expect(await cache.get('part')).toBe('old')
    expect(await cache.getOrSet('whole', async () => `of ${await cache.get<string>('part')}`)).toBe('of new')
    near.pushes.pass()
    await other.cache.set('part', 'newer')
    near.pushes.hold()
    await other.cache.set('part', 'newest')
    const load = (): Promise<string> => cache.getOrSet('part', () => 'called')
    expect(await cache.getOrSet('by getOrSet', load)).toBe('newest')
  })

  it.each<[string, (cache: ReturnType<NearWorld['near']>['cache']) => Promise<unknown>]>([
    ['getMany', async (cache) => (await cache.getMany(['part']))[0]],
    ['lookup', async (cache) => (await cache.lookup('part')).value],
    [
      'getOrSetMany',
      async (cache) => (await cache.getOrSetMany(['part'], { key: (key) => key, load: async () => ['called'] }))[0],
    ],
    ['a scope', (cache) => cache.forTenant('t').get('part')],
  ])('nothing is, by whatever operation: %s', async (name, read) => {
    const world = new NearWorld()
    const key = name === 'a scope' ? 'part:t' : 'part'
    await world.stored(key, 'old')
    const [near, other] = [await world.keeping([key]), world.process()]
    near.pushes.hold()
    await other.cache.set(key, 'new')
    expect(await read(near.cache)).toBe('old')
    expect(await near.cache.getOrSet('whole', () => read(near.cache))).toBe('new')
  })

  it('of another cache of the process, and of many, it is the same', async () => {
    const world = new NearWorld()
    await world.stored('part', 'old')
    const [near, second, other] = [await world.keeping(['part']), world.near(), world.process()]
    near.pushes.hold()
    await other.cache.set('part', 'new')
    const load = (): Promise<string | null> => near.cache.get<string>('part')
    expect(await second.cache.getOrSet('whole', load)).toBe('new')
    near.pushes.pass()
    await kept(near, 'part')
    near.pushes.hold()
    await other.cache.set('part', 'newer')
    const many = { key: (key: string) => key, load: async () => [await load()] }
    expect(await second.cache.getOrSetMany(['many'], many)).toEqual(['newer'])
  })

  it('reads are answered from L1 again once it is over, and meanwhile outside of it', async () => {
    const world = new NearWorld()
    await world.stored('part', 'v')
    const near = await world.keeping(['part'])
    const load = new HeldLoad<string>()
    const loading = near.cache.getOrSet('whole', load.load)
    await idle()
    expect(await answerOf(near, 'part')).toEqual(['v', 'l1'])
    load.answer('done')
    await loading
    let after: Promise<unknown> | undefined
    await near.cache.getOrSet('second', async () => {
      after = (async () => {
        await idle()
        return answerOf(near, 'part')
      })()
      return 1
    })
    expect(await after).toEqual(['v', 'l1'])
  })
})

describe('what never enters L1', () => {
  it('is another program’s value: only the key knows how long it lives', async () => {
    const world = new NearWorld()
    const foreign: StoredEntry = {
      ...{ g: '', s: 0, e: '', softAt: Infinity, hardAt: Infinity, deltaMs: 0, version: null },
      ...{ codec: FOREIGN_CODEC, tags: [], payload: '{"a":1}' },
    }
    world.space.store('k', foreign)
    const near = world.near()
    for (let i = 0; i < 3; i++) expect(await answerOf(near, 'k')).toEqual([{ a: 1 }, 'l2'])
    expect(near.cache.getStatistics().bytes).toBe(0)
    expect(openTickets(near)).toBe(0)
  })

  it('is an entry whose writer said so, whoever reads it', async () => {
    const world = new NearWorld()
    const [near, other] = [world.near(), world.process()]
    await other.cache.set('k', 'v', { l1: false })
    for (let i = 0; i < 3; i++) expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    await other.cache.set('k', 'v', { l1: { ttl: '5s' } })
    await near.cache.get('k')
    await world.clock.advance(4_999)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    await world.clock.advance(1)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
  })

  it('is what is held by somebody’s work, and what is not valid', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = world.near()
    world.space.tagClock.addHold({ owner: 'o', keys: ['k'], tags: [] }, world.space.nowMs() + 60_000)
    expect(await answerOf(near, 'k')).toEqual([null, null])
    expect(near.cache.getStatistics().bytes).toBe(0)
  })
})
