import { setTimeout } from 'node:timers/promises'
import { slotOf } from '../../src/redis/slot.js'
import type { RedisCluster } from '../support/redis-cluster.js'
import type { RedisServer } from '../support/redis-server.js'
import type { SeededRandom } from '../support/seeded-random.js'
import type { Promotions } from './promotions.js'
import type { TopologyFault } from './topology-fault.js'

const CLOCK = 'vextrus@tags'
const HOT = ['plain:0', 'plain:1', 'tagged:0', 'tagged:1', 'part:0', 'through:0', 'duel:0', 'page:0'].map(
  (key) => `vextrus:${key}`,
)
/** Longer than a command is waited for, and than a lease is renewed. */
const MIDWAY_MS = 1_500
/** Further nodes of one run: each costs an acquaintance with all others. */
const MOST_ADDED = 2

/** Slots on their way, and masters that are replaced. @param hotKeys of Redis, whose slots they are */
export function clusterFaults(
  group: RedisCluster,
  promotions: Promotions,
  random: SeededRandom,
  hotKeys: readonly string[] = HOT,
): readonly TopologyFault[] {
  const hotKey = (): string => random.pick(hotKeys)
  let added = 0

  async function migrate(key: string, midwayMs: number, to?: RedisServer): Promise<void> {
    const slot = slotOf(key)
    const from = await group.masterOf(slot)
    const target = to ?? random.pick((await pairs(group)).map(({ master }) => master).filter((one) => one !== from))
    await group.migrateSlot(slot, from, target, async (step) => {
      if (step === 'migrating') await setTimeout(midwayMs)
    })
    await group.healthy()
  }

  const migrations: TopologyFault[] = [
    { name: 'slot of a key migrated', losesHolds: false, run: () => migrate(hotKey(), 0) },
    { name: 'slot of the tag clock migrated', losesHolds: false, run: () => migrate(CLOCK, 0) },
    { name: 'slot of a key migrated, with a stop midway', losesHolds: false, run: () => migrate(hotKey(), MIDWAY_MS) },
    {
      name: 'slot of the tag clock migrated, with a stop midway',
      losesHolds: false,
      run: () => migrate(CLOCK, MIDWAY_MS),
    },
  ]
  const [key, clock, keyMidway, clockMidway] = migrations as [
    TopologyFault,
    TopologyFault,
    TopologyFault,
    TopologyFault,
  ]
  return [
    key,
    {
      name: 'SIGKILL of a master',
      losesHolds: true,
      async run() {
        const { master, replica } = random.pick(await pairs(group))
        await master.kill()
        await promotions.promoted([replica])
        await master.restart()
        await promotions.demoted(master)
        await group.healthy()
      },
    },
    clock,
    {
      // The master waits until its replica has everything.
      name: 'CLUSTER FAILOVER',
      losesHolds: false,
      async run() {
        const { master } = random.pick(await pairs(group))
        await group.failover(master)
        await group.healthy()
      },
    },
    keyMidway,
    {
      name: 'node added, given a slot',
      losesHolds: false,
      async run() {
        await migrate(hotKey(), 0, added++ < MOST_ADDED ? await group.addMaster() : undefined)
      },
    },
    clockMidway,
  ]
}

/** Masters that have a replica to take over. */
async function pairs(group: RedisCluster): Promise<readonly { master: RedisServer; replica: RedisServer }[]> {
  const found = await Promise.all(
    group.servers.map(async (server) => {
      const [role, , replicas] = (await server.command('ROLE')) as [string, unknown, [string, string][]]
      const port = role === 'master' ? Number(replicas[0]?.[1]) : Number.NaN
      const replica = group.servers.find((one) => one.port === port)
      return replica === undefined ? [] : [{ master: server, replica }]
    }),
  )
  return found.flat()
}
