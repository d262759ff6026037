import { describe, expect, it } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import { FaultyLimitStore } from '../../test/support/limit-faults.js'
import { Instances } from './instances.js'
import { MemoryRateLimitStore } from './stores/memory.js'

describe('the number of processes', () => {
  const setUp = (): {
    world: LimitWorld
    process: (name: string) => { instances: Instances; store: FaultyLimitStore }
  } => {
    const world = new LimitWorld()
    const process = (name: string): { instances: Instances; store: FaultyLimitStore } => {
      const store = new FaultyLimitStore(new MemoryRateLimitStore(world.hub, 'vextrus:'), world.clock)
      const instances = new Instances(() => store, name, world.clock)
      return { instances, store }
    }
    return { world, process }
  }

  it('is of those that were seen in the last minute, this one among them', async () => {
    const { world, process } = setUp()
    const all = ['a', 'b', 'c'].map(process)
    expect(all.map(({ instances }) => instances.count)).toEqual([1, 1, 1])
    for (const { instances } of all) instances.start()
    await world.clock.advance(20_000)
    expect(all.map(({ instances }) => instances.count)).toEqual([3, 3, 3])
    all[2]!.instances.stop()
    await world.clock.advance(40_000)
    expect(all[0]!.instances.count).toBe(3)
    await world.clock.advance(40_000)
    expect(all.map(({ instances }) => instances.count)).toEqual([2, 2, 3])
  })

  it('is the last that was known while the store is away', async () => {
    const { world, process } = setUp()
    const [one, other] = [process('a'), process('b')]
    other.instances.start()
    await world.clock.settle()
    one.instances.start()
    await world.clock.settle()
    one.store.always = 'unsent'
    await world.clock.advance(600_000)
    expect(one.instances.count).toBe(2)
    other.instances.stop()
    one.store.always = undefined
    await world.clock.advance(90_000)
    expect(one.instances.count).toBe(1)
  })

  it('is known within a second of processes that start together', async () => {
    const { world, process } = setUp()
    const all = ['a', 'b', 'c'].map(process)
    for (const { instances } of all) instances.start()
    await world.clock.advance(1_000)
    expect(all.map(({ instances }) => instances.count)).toEqual([3, 3, 3])
  })

  it('is asked for often at first and then every 20 s, however often it is started; no more once it was stopped', async () => {
    const { world, process } = setUp()
    const { instances, store } = process('a')
    for (let i = 0; i < 5; i++) instances.start()
    await world.clock.settle()
    expect(store.taken('seen')).toBe(1)
    expect(world.clock.pendingTimers).toBe(1)
    await world.clock.advance(31_000)
    expect(store.taken('seen')).toBe(5)
    await world.clock.advance(60_000)
    expect(store.taken('seen')).toBe(3)
    instances.stop()
    expect(world.clock.pendingTimers).toBe(0)
    await world.clock.advance(60_000)
    expect(store.taken('seen')).toBe(0)
  })

  it('is asked for no more when it was stopped while an answer was under way', async () => {
    const { world, process } = setUp()
    const { instances, store } = process('a')
    store.next.seen = ['held']
    instances.start()
    await world.clock.settle()
    instances.stop()
    await store.answerHeld()
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('is not asked for when it is given', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process({ instances: 4 })
    await limiter.consume([{ limit: 1, window: '1s' }], { user: 'u' })
    await world.clock.settle()
    expect(store.taken('seen')).toBe(0)
  })
})
