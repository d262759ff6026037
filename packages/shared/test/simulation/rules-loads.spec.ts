import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import type { RedisCacheService } from '../../src/cache/cache.js'
import { LEASE_MS } from '../../src/cache/lease-upkeep.js'
import { LoadTimeoutError } from '../../src/cache/errors.js'
import { HeldLoad, idle, MemoryWorld, rejection, stateOf } from '../support/memory-world.js'
import { ManualPushes } from '../support/manual-pushes.js'

describe('a lease (R7)', () => {
  it('is asked for before the loader is called, and its answer waited for', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = new HeldLoad<string>()
    one.store.hold('acquire')
    void one.cache.getOrSet('k', load.load)
    const acquire = await one.store.next('acquire')
    acquire.arrive()
    await idle()
    expect(load.calls).toBe(0)
    acquire.reply()
    await idle()
    expect(load.calls).toBe(1)
  })

  it('has a token of its own each time: a fill of the load before is refused even at the same moment', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('fill')
    expect(await one.cache.getOrSet('k', () => 'old')).toBe('old')
    const late = await one.store.next('fill')
    late.giveUp()
    await other.cache.delete('k')
    const second = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', second.load)
    await idle()
    expect(second.calls).toBe(1)
    late.arrive()
    expect(await other.cache.get('k')).toBeNull()
    second.answer('new')
    expect(await value).toBe('new')
  })

  it('does not stay when what was asked after its grant has no answer: the others do not wait for its end', async () => {
    const world = new MemoryWorld()
    await world.process().cache.set('warm', 1)
    const [one, other] = [world.process(), world.process()]
    await one.cache.get('warm')
    one.store.hold('acquire', 'tags')
    const value = one.cache.getOrSet('k', () => 'own')
    const acquire = await one.store.next('acquire')
    // The lease is granted beside a valid entry whose tag this process has to look up.
    await other.cache.set('k', 'there', { tags: ['x'] })
    acquire.deliver()
    ;(await one.store.next('tags')).giveUp()
    expect(await value).toBe('own')
    await idle()
    expect(world.space.lease('k')).toBeNull()
  })

  it('does not stay when its fill has no answer, which is refused should it still arrive', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('fill')
    expect(await one.cache.getOrSet('k', () => 'own')).toBe('own')
    const fill = await one.store.next('fill')
    fill.giveUp()
    await idle()
    expect(await stateOf(other.cache.getOrSet('k', () => 'other'))).toEqual({ value: 'other' })
    fill.arrive()
    expect(await other.cache.get('k')).toBe('other')
  })

  it('that a late copy of the question takes again is not the one that was deleted', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    one.store.hold('acquire')
    const value = one.cache.getOrSet('k', load.load)
    const acquire = await one.store.next('acquire')
    const copy = acquire.copy()
    acquire.deliver()
    await idle()
    await other.cache.delete('k')
    await world.clock.advance(1)
    copy.arrive()
    load.answer('old')
    expect(await value).toBe('old')
    await idle()
    expect(await other.cache.get('k')).toBeNull()
  })

  it('is extended while the load runs, and never created again once it is gone', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load)
    await world.clock.advance(2 * LEASE_MS)
    expect(world.space.lease('k')).not.toBeNull()
    await other.cache.delete('k')
    await world.clock.advance(2 * LEASE_MS)
    expect(world.space.lease('k')).toBeNull()
    load.answer('old')
    await value
    await idle()
    expect(await other.cache.get('k')).toBeNull()
  })

  it('ends with its load, when the time of that is over: the others wait no longer for it', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const late = rejection(one.cache.getOrSet('k', load.load))
    await world.clock.advance('20s')
    const waiting = other.cache.getOrSet('k', () => 'second')
    await world.clock.advance('9999ms')
    expect(await stateOf(waiting)).toBe('pending')
    await world.clock.advance('1ms')
    expect(await late).toBeInstanceOf(LoadTimeoutError)
    expect(await stateOf(waiting)).toEqual({ value: 'second' })
  })

  it('is not asked for inside the own load of the key: that is called directly', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const value = one.cache.getOrSet('k', async () => {
      await idle()
      return `outer of ${await one.cache.getOrSet('k', () => 'inner')}`
    })
    expect(await stateOf(value)).toBe('pending')
    expect(await stateOf(value)).toEqual({ value: 'outer of inner' })
    expect(await one.cache.get('k')).toBe('outer of inner')
  })

  it('is given back when the entry has come meanwhile, and the entry is taken', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('acquire')
    const value = one.cache.getOrSet('k', () => 'mine')
    const acquire = await one.store.next('acquire')
    await other.cache.set('k', 'theirs')
    acquire.deliver()
    expect(await value).toBe('theirs')
    await idle()
    expect(world.space.lease('k')).toBeNull()
  })

  it('that was found filled is shared with those alone who were reading when the question was sent', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('acquire')
    const early = one.cache.getOrSet('k', () => 'loaded')
    const acquire = await one.store.next('acquire')
    await other.cache.set('k', 'set')
    acquire.arrive()
    await other.cache.delete('k')
    one.store.pass('acquire')
    const late = one.cache.getOrSet('k', () => 'new')
    await idle()
    acquire.reply()
    expect(await early).toBe('set')
    expect(await late).toBe('new')
  })
})

describe('a fill (R8)', () => {
  it('is off the path of the caller', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    one.store.hold('fill')
    expect(await one.cache.getOrSet('k', () => 'loaded')).toBe('loaded')
    expect(await one.cache.get('k')).toBeNull()
    ;(await one.store.next('fill')).deliver()
    expect(await one.cache.get('k')).toBe('loaded')
  })

  it('is refused under a lease that ran out and is another’s now', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const [slow, quick] = [new HeldLoad<string>(), new HeldLoad<string>()]
    one.store.hold('renew')
    void one.cache.getOrSet('k', slow.load)
    await idle()
    void other.cache.getOrSet('k', quick.load)
    await world.clock.advance(LEASE_MS)
    expect(quick.calls).toBe(1)
    slow.answer('old')
    await idle()
    expect(await other.cache.get('k')).toBeNull()
    quick.answer('new')
    await idle()
    expect(await one.cache.get('k')).toBe('new')
  })

  it.each([
    ['throws', () => Promise.reject(new Error('no'))],
    ['answers null', () => Promise.resolve(null)],
    ['answers undefined', () => Promise.resolve(undefined)],
  ])('of a load that %s is none: the lease is given back and the waiters go on', async (_, load) => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const held = new HeldLoad<void>()
    const first = stateOf(one.cache.getOrSet('k', () => held.load().then(load)))
    await idle()
    const waiting = other.cache.getOrSet('k', () => 'loaded')
    expect(await stateOf(waiting)).toBe('pending')
    held.answer()
    await first
    expect(await stateOf(waiting)).toEqual({ value: 'loaded' })
  })

  it('of a value that was skipped is none', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = (context: { skip(): void }): string => {
      context.skip()
      return 'skipped'
    }
    expect(await one.cache.getOrSet('k', load)).toBe('skipped')
    await idle()
    expect(await one.cache.get('k')).toBeNull()
    expect(world.space.lease('k')).toBeNull()
  })
})

describe('who may take the value of a load (R9)', () => {
  it('everybody whose read began before the loader was called, stored or not', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    one.store.hold('acquire')
    const callers = [one.cache.getOrSet('k', load.load), one.cache.getOrSet('k', load.load)]
    const acquire = await one.store.next('acquire')
    callers.push(one.cache.getOrSet('k', load.load))
    await idle()
    acquire.deliver()
    await idle()
    await other.cache.delete('k')
    load.answer('loaded')
    expect(await Promise.all(callers)).toEqual(['loaded', 'loaded', 'loaded'])
    expect(load.calls).toBe(1)
  })

  it('those who came later, when it was stored and nothing of it was invalidated', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = new HeldLoad<string>()
    const early = one.cache.getOrSet('k', load.load, { tags: ['x'] })
    await idle()
    const late = one.cache.getOrSet('k', load.load, { tags: ['x'] })
    await idle()
    load.answer('loaded')
    expect(await Promise.all([early, late])).toEqual(['loaded', 'loaded'])
    expect(load.calls).toBe(1)
  })

  it.each([
    ['its key was deleted', (cache: RedisCacheService) => cache.delete('k')],
    ['its tag was invalidated', (cache: RedisCacheService) => cache.invalidateByTag('x')],
    ['everything was cleared', (cache: RedisCacheService) => cache.clear()],
  ])('nobody who came after %s: they load anew, together', async (_, invalidate) => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const ask = (): Promise<string> => one.cache.getOrSet('k', load.load, { tags: ['x'] })
    const early = ask()
    await idle()
    await invalidate(other.cache)
    const late = [ask(), ask(), ask()]
    await idle()
    expect(load.calls).toBe(1)
    load.answer('old')
    expect(await early).toBe('old')
    await idle()
    expect(load.calls).toBe(2)
    load.answer('new')
    expect(await Promise.all(late)).toEqual(['new', 'new', 'new'])
    expect(load.calls).toBe(2)
  })

  it('nobody once the fill was sent: they read when it was answered, and until then they wait', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('fill')
    await one.cache.getOrSet('k', () => 'old')
    const fill = await one.store.next('fill')
    fill.arrive()
    await other.cache.delete('k')
    one.store.sent.length = 0
    const late = one.cache.getOrSet('k', () => 'new')
    await idle()
    expect(one.store.sent).toEqual(['read'])
    fill.reply()
    await idle()
    ;(await one.store.next('fill')).deliver()
    expect(await late).toBe('new')
  })

  it('a copy each, but for the first, who gets the loaded value itself', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const loaded = { at: new Date(0) }
    const values = await Promise.all([0, 1, 2].map(() => one.cache.getOrSet('k', () => loaded)))
    expect(values[0]).toBe(loaded)
    expect(values).toEqual([loaded, loaded, loaded])
    expect(new Set(values).size).toBe(3)
  })

  it('an error reaches everybody who waits, from one call', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = new HeldLoad<string>()
    const callers = [one.cache.getOrSet('k', load.load), one.cache.getOrSet('k', load.load)]
    await idle()
    callers.push(one.cache.getOrSet('k', load.load))
    await idle()
    const states = callers.map((caller) => stateOf(caller))
    const error = new Error('the database is down')
    load.fail(error)
    expect(await Promise.all(states)).toEqual([{ error }, { error }, { error }])
    expect(load.calls).toBe(1)
  })

  it('the error of the load that late callers start reaches them too', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    void one.cache.getOrSet('k', load.load)
    await idle()
    await other.cache.delete('k')
    const late = [one.cache.getOrSet('k', load.load), one.cache.getOrSet('k', load.load)]
    const states = late.map((caller) => caller.catch((error: unknown) => error))
    await idle()
    load.answer('old')
    await idle()
    const error = new Error('the database is down')
    load.fail(error)
    for (const state of states) expect(await stateOf(state)).toEqual({ value: error })
  })

  it('a loader called late runs in the context of the caller whose it is', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const request = new AsyncLocalStorage<string>()
    const load = new HeldLoad<string>()
    void request.run('first', () => one.cache.getOrSet('k', load.load))
    await idle()
    await other.cache.delete('k')
    const late = request.run('second', () => one.cache.getOrSet('k', () => request.getStore() ?? 'nobody'))
    await idle()
    load.answer('old')
    expect(await late).toBe('second')
  })
})

describe('waiting for another process (R10)', () => {
  it('ends with the fill, not with the lease', async () => {
    const world = new MemoryWorld()
    const [holder, waiter] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    void holder.cache.getOrSet('k', load.load)
    await idle()
    const own = new HeldLoad<string>()
    const waiting = waiter.cache.getOrSet('k', own.load)
    expect(await stateOf(waiting)).toBe('pending')
    load.answer('loaded')
    expect(await stateOf(waiting)).toEqual({ value: 'loaded' })
    expect(own.calls).toBe(0)
  })

  it('hears a wake that comes before the answer of who holds the lease', async () => {
    const world = new MemoryWorld()
    const [holder, waiter] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    void holder.cache.getOrSet('k', load.load)
    await idle()
    waiter.store.hold('acquire')
    const waiting = waiter.cache.getOrSet('k', () => 'mine')
    const acquire = await waiter.store.next('acquire')
    acquire.arrive()
    load.answer('loaded')
    await idle()
    acquire.reply()
    expect(await stateOf(waiting)).toEqual({ value: 'loaded' })
  })

  it('ends with the lease of a holder that died', async () => {
    const world = new MemoryWorld()
    const [holder, waiter] = [world.process(), world.process()]
    holder.store.hold('renew', 'fill')
    void holder.cache.getOrSet('k', () => 'never stored')
    await idle()
    const waiting = waiter.cache.getOrSet('k', () => 'mine')
    await world.clock.advance(LEASE_MS - 1)
    expect(await stateOf(waiting)).toBe('pending')
    await world.clock.advance(1)
    expect(await stateOf(waiting)).toEqual({ value: 'mine' })
  })

  it('goes on for as long as its holder renews', async () => {
    const world = new MemoryWorld()
    const [holder, waiter] = [world.process(), world.process()]
    const [load, own] = [new HeldLoad<string>(), new HeldLoad<string>()]
    void holder.cache.getOrSet('k', load.load)
    await idle()
    const waiting = waiter.cache.getOrSet('k', own.load)
    await world.clock.advance(5 * LEASE_MS)
    expect(own.calls).toBe(0)
    load.answer('loaded')
    expect(await stateOf(waiting)).toEqual({ value: 'loaded' })
  })

  it('is for two holders at most: then the caller loads for itself, and stores nothing', async () => {
    const world = new MemoryWorld()
    const waiter = world.process()
    const own = new HeldLoad<string>()
    const holders = [1, 2, 3].map(() => new HeldLoad<string | null>())
    const hold = async (load: HeldLoad<string | null>): Promise<void> => {
      void world.process().cache.getOrSet('k', load.load)
      await idle()
      expect(load.calls).toBe(1)
    }
    await hold(holders[0]!)
    const waiting = waiter.cache.getOrSet('k', own.load)
    await idle()
    for (const [i, next] of [holders[1]!, holders[2]!].entries()) {
      expect(own.calls).toBe(0)
      // The load before stores nothing, and another process is quicker to ask for the lease than the one that waits.
      waiter.store.hold('read')
      holders[i]!.answer(null)
      const read = await waiter.store.next('read')
      waiter.store.pass('read')
      await hold(next)
      read.deliver()
      await idle()
    }
    expect(own.calls).toBe(1)
    own.answer('mine')
    expect(await waiting).toBe('mine')
    await idle()
    expect(await waiter.cache.get('k')).toBeNull()
    holders[2]!.answer('stored')
    await idle()
    expect(await waiter.cache.get('k')).toBe('stored')
  })

  it('looks again every 50 ms while pushes can be missed', async () => {
    const world = new MemoryWorld()
    const holder = world.process()
    const waiter = world.process({ pushes: new ManualPushes(false) })
    const load = new HeldLoad<string>()
    void holder.cache.getOrSet('k', load.load)
    await idle()
    const waiting = waiter.cache.getOrSet('k', () => 'mine')
    await idle()
    load.answer('loaded')
    await idle()
    expect(await stateOf(waiting)).toBe('pending')
    await world.clock.advance(50)
    expect(await stateOf(waiting)).toEqual({ value: 'loaded' })
  })

  it('does not keep getOrSetMany from loading what it was granted', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    void holder.cache.getOrSet('b', load.load)
    await idle()
    const loaded: string[][] = []
    const many = one.cache.getOrSetMany(['a', 'b', 'c'], {
      key: (key) => key,
      load: async (missing) => {
        loaded.push(missing)
        return missing.map((key) => `own ${key}`)
      },
    })
    await idle()
    expect(loaded).toEqual([['a', 'c']])
    expect(await holder.cache.getMany(['a', 'c'])).toEqual(['own a', 'own c'])
    load.answer('their b')
    expect(await many).toEqual(['own a', 'their b', 'own c'])
    expect(loaded).toHaveLength(1)
  })
})

describe('one load (P3)', () => {
  it('of a key runs in all processes together, however many callers there are', async () => {
    const world = new MemoryWorld()
    const processes = [world.process(), world.process(), world.process()]
    const load = new HeldLoad<string>()
    const callers = processes.flatMap(({ cache }) => Array.from({ length: 50 }, () => cache.getOrSet('k', load.load)))
    await idle()
    expect(load.calls).toBe(1)
    load.answer('loaded')
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['loaded']))
    expect(load.calls).toBe(1)
  })

  it('runs on each process while the store is away, and stores nothing', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    one.store.hold('read')
    const load = new HeldLoad<string>()
    const callers = Array.from({ length: 20 }, () => one.cache.getOrSet('k', load.load))
    ;(await one.store.next('read')).giveUp()
    await idle()
    expect(load.calls).toBe(1)
    load.answer('loaded')
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['loaded']))
    expect(one.store.sent).toEqual(['read'])
  })
})
