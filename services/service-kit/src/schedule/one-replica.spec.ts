import { Test, type TestingModule } from '@nestjs/testing'
import { RedisLockService } from '@vextrus/shared/lock'
import { FakeClock, RedisCacheTestingModule } from '@vextrus/shared/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OneReplica } from './one-replica.js'

let clock: FakeClock
let module: TestingModule
let locks: RedisLockService

beforeEach(async () => {
  clock = new FakeClock()
  const imports = [RedisCacheTestingModule.forRoot({ clock, tenancy: { required: true, global: ['job'] } })]
  module = await Test.createTestingModule({ imports }).compile()
  await module.init()
  locks = module.get(RedisLockService)
})

afterEach(async () => {
  // Closing gives locks that are held a second to be given back; on this clock it would not pass.
  await clock.advance(KEEP_MS)
  await module.close()
})

/** Each is another replica. */
const replica = () => new OneReplica(locks)
const KEEP_MS = 240_000

describe('scheduled work', () => {
  it('is done by one of all replicas, also when the others come when it is done', async () => {
    const work = vi.fn<() => Promise<void>>().mockResolvedValue()
    const together = await Promise.all([1, 2, 3].map(() => replica().run('refresh', work)))
    expect(together.filter(Boolean)).toHaveLength(1)
    await clock.advance(KEEP_MS / 2)
    expect(await replica().run('refresh', work)).toBe(false)
    expect(work).toHaveBeenCalledOnce()
  })

  it('is done again at the next tick, by whoever comes first', async () => {
    const work = vi.fn<() => Promise<void>>().mockResolvedValue()
    for (let tick = 1; tick <= 3; tick++) {
      expect([await replica().run('refresh', work), await replica().run('refresh', work)]).toEqual([true, false])
      expect(work).toHaveBeenCalledTimes(tick)
      await clock.advance(300_000)
    }
  })

  it('that fails rejects, and may be done by the next one who comes', async () => {
    const fail = () => Promise.reject(new Error('the database is away'))
    await expect(replica().run('refresh', fail)).rejects.toThrowError('the database is away')
    expect(await replica().run('refresh', () => Promise.resolve())).toBe(true)
  })

  it('of one name keeps none of another from being done', async () => {
    const done = () => Promise.resolve()
    expect([await replica().run('one', done), await replica().run('other', done)]).toEqual([true, true])
  })
})
