import type { RedisSentinels } from '../support/redis-sentinel.js'
import type { RedisServer } from '../support/redis-server.js'
import type { SeededRandom } from '../support/seeded-random.js'
import { waitFor } from '../support/wait-for.js'
import type { Promotions } from './promotions.js'
import type { TopologyFault } from './topology-fault.js'

const PATIENCE_MS = 30_000

/** A master of which its Sentinels think that it is gone, or that are told to replace it. */
export function sentinelFaults(
  group: RedisSentinels,
  promotions: Promotions,
  random: SeededRandom,
): readonly TopologyFault[] {
  const others = (master: RedisServer): RedisServer[] => group.servers.filter((server) => server !== master)
  return [
    {
      name: 'SENTINEL FAILOVER',
      losesHolds: true,
      async run() {
        const old = await group.master()
        const promoted = promotions.promoted(others(old))
        await untilDone('the Sentinels begin a failover', () =>
          group.sentinels[0]!.command('SENTINEL', 'FAILOVER', group.name),
        )
        const { server, from } = await promoted
        await named(group, server)
        await promotions.known(from)
        await promotions.demoted(old)
        await atPeace(group)
      },
    },
    {
      name: 'SIGKILL of the master',
      losesHolds: true,
      async run() {
        const old = await group.master()
        await old.kill()
        await promotions.promoted(others(old))
        await old.restart()
        await promotions.demoted(old)
        await atPeace(group)
      },
    },
    {
      name: 'SIGSTOP of the master until another one is promoted',
      losesHolds: true,
      async run() {
        const old = await group.master()
        old.pause()
        try {
          const { server, from } = await promotions.promoted(others(old))
          await named(group, server)
          await promotions.known(from)
          // At once, or when all have noticed.
          if (random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, 1_000))
        } finally {
          old.resume()
        }
        await promotions.demoted(old)
        await atPeace(group)
      },
    },
  ]
}

/** Whoever asks the Sentinels may be sent there. */
async function named(group: RedisSentinels, master: RedisServer): Promise<void> {
  await waitFor(
    'a Sentinel names the new master',
    async () => {
      const addresses = await Promise.all(
        group.sentinels.map((one) => one.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group.name)),
      )
      return addresses.some((address) => Number((address as [string, string])[1]) === master.port)
    },
    PATIENCE_MS,
  )
}

/** The next failover finds a replica that has everything, and Sentinels that have nothing else to do. */
async function atPeace(group: RedisSentinels): Promise<void> {
  await waitFor(
    'the Sentinels are at peace',
    async () => {
      const master = await group.master()
      if (master === undefined) return false
      const ports = await Promise.all(
        group.sentinels.map((one) => one.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group.name)),
      )
      if (!ports.every((address) => Number((address as [string, string])[1]) === master.port)) return false
      const facts = await Promise.all(group.sentinels.map((one) => one.command('SENTINEL', 'MASTER', group.name)))
      if (!facts.every((flat) => flagsOf(flat as string[]) === 'master')) return false
      const infos = await Promise.all(
        group.servers.filter((server) => server !== master).map((server) => server.command('INFO', 'replication')),
      )
      return infos.every((info) => /^role:slave/m.test(String(info)) && /^master_link_status:up/m.test(String(info)))
    },
    PATIENCE_MS,
  )
}

function flagsOf(flat: string[]): string | undefined {
  return flat[flat.indexOf('flags') + 1]
}

/** They refuse while the last failover is not long enough ago. */
async function untilDone(what: string, call: () => Promise<unknown>): Promise<void> {
  await waitFor(
    what,
    async () => {
      try {
        await call()
        return true
      } catch (error) {
        if (/INPROG|NOGOODSLAVE/.test(String(error))) return false
        throw error
      }
    },
    PATIENCE_MS,
  )
}
