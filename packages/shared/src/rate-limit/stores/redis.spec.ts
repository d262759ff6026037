import { describe, expect, it } from 'vitest'
import { FakePort } from '../../../test/support/fake-dedicated.js'
import { SeededRandom } from '../../../test/support/seeded-random.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { Keyspace } from '../../redis/keyspace.js'
import type { RedisReply, Shard, Topology } from '../../redis/topology.js'
import { compileRule } from '../rules.js'
import { RedisRateLimitStore } from './redis.js'

const shard: Shard = {
  id: 'a',
  session: undefined,
  exec: async () => Promise.reject(new Error('nobody asks')),
  serverNow: () => undefined,
}

/** A store on a connection that answers each unit as a test says. */
function storeOn(run: () => RedisReply): RedisRateLimitStore {
  const topology: Topology = {
    sharded: false,
    shardOf: () => shard,
    shards: () => [shard],
    layout: async () => ({ slots: '', migrating: false }),
    exec: async (units) =>
      units.map(() => ({
        ...{ replies: [run()], session: { epoch: 'e', runId: 'r' }, shard, redirected: false },
      })),
  }
  const surroundings = { timeoutMs: 80, warn: () => undefined, clock: new FakeClock(), random: new SeededRandom(1) }
  return new RedisRateLimitStore(topology, new FakePort(), new Keyspace('vextrus:'), surroundings)
}

const { spec, counter } = compileRule({ limit: 10, window: '1m' })
const ask = (user: string) => ({ ...counter({ user }), spec, cost: 1, most: 1 })

describe('a defect of what the store stands on', () => {
  const defect = new TypeError('a defect')

  it('is told to all who asked, none of whom waits for ever', async () => {
    const store = storeOn(() => {
      throw defect
    })
    const asked = [store.take([ask('a')]), store.take([ask('b')]), store.peek([ask('a')]), store.refund([ask('a')])]
    for (const each of asked) await expect(each).rejects.toBe(defect)
  })

  it('such as an answer that is none, too', async () => {
    const store = storeOn(() => null)
    for (const each of [store.take([ask('a')]), store.peek([ask('b')])]) await expect(each).rejects.toThrow(TypeError)
  })
})
