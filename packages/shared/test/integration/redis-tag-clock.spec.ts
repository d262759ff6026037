import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SCRIPTS } from '../../src/redis/scripts.gen.js'
import { redisBackend, type StoreBackend } from '../support/store-backends.js'

/** The script that makes the tag clock, on a real server, told of masters as after a failover. */
describe('the tag clock (R16)', () => {
  let backend: StoreBackend
  let prefix: string
  let next = 0

  beforeAll(async () => {
    backend = await redisBackend()
  })

  beforeEach(() => {
    prefix = `clock${next++}@tags`
  })

  afterAll(() => backend.close())

  const told = async (epoch: string, { create = false } = {}): Promise<(string | null)[]> => {
    const args = ['EVAL', SCRIPTS.cacheClock.lua, '1', prefix, '12345', epoch, create ? '1' : '0'] as const
    return (await backend.command!(prefix, ...args)) as (string | null)[]
  }
  const epochs = async (): Promise<unknown> => backend.command!(prefix, 'ZRANGEBYSCORE', prefix, '0', '0')

  it('knows the master that it was made on', async () => {
    expect(await told('one', { create: true })).toEqual(await told('one'))
    expect(await epochs()).toEqual(['r:one'])
  })

  it('moves its generation on at a master that it does not know, once, and back on the first one again', async () => {
    const [first] = await told('one', { create: true })
    const [second] = await told('two')
    expect(Number(second)).toBeGreaterThan(Number(first))
    expect(await epochs()).toEqual(['r:two'])
    expect((await told('two'))[0]).toBe(second)
    const [third] = await told('one')
    expect(Number(third)).toBeGreaterThan(Number(second))
  })

  it('keeps its sequence and its marks when it moves on', async () => {
    await told('one', { create: true })
    await backend.command!(prefix, 'ZADD', prefix, '7', 't:x', '8', '#s', '3', '#f')
    expect((await told('two')).slice(1)).toEqual(['8', '3'])
    expect(await backend.command!(prefix, 'ZSCORE', prefix, 't:x')).toBe('7')
  })

  it('is not made, and does not move, where it is only looked for or failovers are trusted', async () => {
    expect(await told('one')).toEqual([null, null, null])
    expect(await backend.command!(prefix, 'EXISTS', prefix)).toBe(0)
    const [first] = await told('', { create: true })
    expect((await told(''))[0]).toBe(first)
    expect(await epochs()).toEqual([])
  })
})
