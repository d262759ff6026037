import { startCluster } from '../support/redis-cluster.js'
import { startSentinel } from '../support/redis-sentinel.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import type { SeededRandom } from '../support/seeded-random.js'
import { clusterFaults } from './cluster-faults.js'
import type { Promotions } from './promotions.js'
import { sentinelFaults } from './sentinel-faults.js'
import type { TopologyFault } from './topology-fault.js'
import type { Ways } from './ways.js'

export const TOPOLOGIES = ['standalone', 'sentinel', 'cluster'] as const
export type RaceTopology = (typeof TOPOLOGIES)[number]

/** The servers of the cache, in whichever topology. */
export interface RaceServers {
  /** Those that processes talk to. */
  readonly servers: readonly RedisServer[]
  /** Options of the module for a process that goes these ways. */
  optionsFor(ways: Ways): Readonly<Record<string, unknown>>
  /** A user that may not track keys; none where a server that is started again would not know it. */
  readonly refused?: Credentials
  masters(): Promise<readonly RedisServer[]>
  /** What befalls this topology beside what befalls all. @param hotKeys of Redis, whose slots move on a Cluster. @default the race's */
  faults(promotions: Promotions, random: SeededRandom, hotKeys?: readonly string[]): readonly TopologyFault[]
  stop(): Promise<void>
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

export async function startServers(topology: RaceTopology): Promise<RaceServers> {
  switch (topology) {
    case 'standalone':
      return standalone()
    case 'sentinel':
      return sentinel()
    case 'cluster':
      return cluster()
  }
}

async function standalone(): Promise<RaceServers> {
  const server = await startRedis()
  const refused = { username: 'refused', password: 'secret' }
  await server.command(
    'ACL',
    ...[
      'SETUSER',
      refused.username,
      'on',
      `>${refused.password}`,
      '~vextrus*',
      '&vextrus*',
      '+@all',
      '-client|tracking',
    ],
  )
  return {
    servers: [server],
    refused,
    optionsFor: (ways) => ways.addressOf(server) as unknown as Readonly<Record<string, unknown>>,
    masters: async () => [server],
    faults: () => [],
    stop: () => server.stop(),
  }
}

async function sentinel(): Promise<RaceServers> {
  const group = await startSentinel()
  return {
    servers: group.servers,
    optionsFor: ({ natMap }) => ({ sentinels: { nodes: group.nodes, name: group.name }, clientOptions: { natMap } }),
    masters: async () => [await group.master()],
    faults: (promotions, random) => sentinelFaults(group, promotions, random),
    stop: () => group.stop(),
  }
}

async function cluster(): Promise<RaceServers> {
  const group = await startCluster()
  const first = [...group.servers]
  return {
    servers: first,
    optionsFor: (ways) => ({
      cluster: { nodes: first.map((server) => ways.addressOf(server)) },
      clientOptions: { natMap: ways.natMap },
    }),
    async masters() {
      const rows = await Promise.all(
        group.servers.map(async (server) => {
          const role = await server.command('ROLE').catch(() => null)
          return Array.isArray(role) && role[0] === 'master' ? [server] : []
        }),
      )
      return rows.flat()
    },
    faults: (promotions, random, hotKeys) => clusterFaults(group, promotions, random, hotKeys),
    stop: () => group.stop(),
  }
}
