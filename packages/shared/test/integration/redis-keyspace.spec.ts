import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Keyspace } from '../../src/redis/keyspace.js'
import { slotOf } from '../../src/redis/slot.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

describe('hash slots', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  })
  afterAll(() => server.stop())

  it('are the ones that Redis computes, for entries, leases and wake signals', async () => {
    const keys = new Keyspace()
    const anyKey = fc.string({ unit: fc.constantFrom('{', '}', ':', 'a', 'é'), minLength: 1, maxLength: 8 })
    for (const key of ['a}b', '{}', 'x{}y{z}', '}{', 'ключ', ...fc.sample(anyKey, { numRuns: 500, seed: 1 })]) {
      const slot = await server.command('CLUSTER', 'KEYSLOT', keys.entry(key))
      expect(slotOf(keys.entry(key))).toBe(slot)
      expect(await server.command('CLUSTER', 'KEYSLOT', keys.lease(key))).toBe(slot)
      expect(await server.command('CLUSTER', 'KEYSLOT', keys.wake(key))).toBe(slot)
    }
  })
})
