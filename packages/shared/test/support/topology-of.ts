import { RedisUnavailableError } from '../../src/redis/errors.js'
import type { Shard, Topology } from '../../src/redis/topology.js'

/** A topology of one server, which sends all units in one list. */
export function topologyOf(shard: Shard): Topology {
  return {
    sharded: false,
    shardOf: () => shard,
    shards: () => [shard],
    layout: async () => ({ slots: '', migrating: false }),
    async exec(units) {
      const lists = units.map(({ commands }) => (typeof commands === 'function' ? commands(shard) : commands))
      try {
        const { replies, session } = await shard.exec(lists.flat())
        let end = 0
        return lists.map(({ length }) => ({
          replies: replies.slice(end, (end += length)),
          ...{ session, shard, redirected: false },
        }))
      } catch (error) {
        if (error instanceof RedisUnavailableError) return units.map(() => error)
        throw error
      }
    },
  }
}
