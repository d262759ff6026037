import { Redis } from 'ioredis6'
import { freePort, startRedis } from '../../scripts/lib/redis.mjs'

const SLOTS = 16_384

/** Masters that share the slots evenly, without replicas. Answers their `nodes` and the way to `stop` them. */
export async function startCluster(masters) {
  const servers = await Promise.all(
    Array.from({ length: masters }, async () => {
      const busPort = await freePort()
      return { ...(await startRedis('--cluster-enabled', 'yes', '--cluster-port', busPort)), busPort }
    }),
  )
  const clients = servers.map(({ port }) => new Redis({ host: '127.0.0.1', port }))
  for (const [i, client] of clients.entries()) {
    const from = Math.ceil((i * SLOTS) / masters)
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, Math.ceil(((i + 1) * SLOTS) / masters) - 1)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    for (const { port, busPort } of servers.slice(0, i))
      await client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
  }
  for (const client of clients) {
    const deadline = performance.now() + 20_000
    while (
      !/cluster_state:ok[\s\S]*cluster_known_nodes:(\d+)/.exec(await client.cluster('INFO'))?.[1]?.includes(masters)
    ) {
      if (performance.now() > deadline) throw new Error('the Cluster does not come together')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    client.disconnect()
  }
  return {
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    stop: () => Promise.all(servers.map((server) => server.stop())),
  }
}
