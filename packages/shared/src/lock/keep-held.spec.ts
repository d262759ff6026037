import { beforeEach, describe, expect, it } from 'vitest'
import { LockWorld, type WorldProcess } from '../../test/support/lock-world.js'

/** How `withLock` keeps what it holds. */

let world: LockWorld
let one: WorldProcess
const KEY = 'month-end:t1'

beforeEach(() => {
  world = new LockWorld()
  one = world.process()
})

const passed = (ms: number): Promise<void> => new Promise((resolve) => world.clock.timer(ms, resolve))

describe('work under a lock', () => {
  it('that extends it for less than it has holds it for as long as it takes all the same', async () => {
    const work = one.mutex.withLock(KEY, { ttlMs: 10_000 }, async (lock) => {
      await passed(1_000)
      await lock.extend(500)
      await passed(30_000)
      lock.assertHeld()
      return 'done'
    })
    expect(await world.settled(work)).toBe('done')
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('that extends it for more is not asked to again before that is due', async () => {
    const work = one.mutex.withLock(KEY, { ttlMs: 9_000 }, async (lock) => {
      await lock.extend(60_000)
      one.store.taken()
      await passed(50_000)
      expect(one.store.taken()).toEqual([])
      await passed(30_000)
      lock.assertHeld()
    })
    await world.settled(work, 100_000)
  })
})
