import { describe, expect, it } from 'vitest'
import { Keyspace } from '../../redis/keyspace.js'
import type { Shard, Topology, Unit } from '../../redis/topology.js'
import { RedisLockStore } from './redis.js'

/** What the store sends when, seen by a topology that a test plays. */

const shardNamed = (id: string) => ({ id, serverNow: () => undefined }) as unknown as Shard
const [WELL, STOPPED] = [shardNamed('well'), shardNamed('stopped')]
const shardOf = (key: string): Shard => (key.includes('stopped') ? STOPPED : WELL)

/** A Cluster of two masters, of which one answers each command with 1 and the other nothing. */
function storeOn(sent: string[][]): RedisLockStore {
  const answers = (units: readonly Unit[]) =>
    units.map((unit) => {
      const shard = shardOf(unit.key)
      return { replies: [1], session: { epoch: '' }, shard, redirected: false }
    })
  const topology = {
    sharded: true,
    shardOf,
    exec(units: readonly Unit[]) {
      sent.push(units.map(({ key }) => key))
      return units.some(({ key }) => shardOf(key) === STOPPED)
        ? new Promise(() => undefined)
        : Promise.resolve(answers(units))
    },
  } as unknown as Topology
  const door = { id: 'none', dedicated: () => Promise.reject(new Error('no door')) }
  return new RedisLockStore(topology, door, new Keyspace('vextrus:'), { deadlineMs: 500, warn: () => undefined })
}

describe('calls of one tick', () => {
  it('leave in one write for each master, and those of a master that is well don’t wait for one that is not', async () => {
    const sent: string[][] = []
    const store = storeOn(sent)
    const release = (key: string) =>
      store.release({ lock: { kind: 'mutex', key }, holder: { token: 't', mode: 'exclusive' } })
    void release('stopped')
    expect(await Promise.all([release('a'), release('b')])).toEqual([true, true])
    expect(sent).toEqual([['vextrus@lock:{stopped}:mutex'], ['vextrus@lock:{a}:mutex', 'vextrus@lock:{b}:mutex']])
  })
})
