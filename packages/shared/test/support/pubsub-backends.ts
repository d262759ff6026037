import { type Clock, systemClock } from '../../src/kernel/clock.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import type { PubSubStore } from '../../src/pubsub/pubsub-store.js'
import { MemoryPubSubStore } from '../../src/pubsub/stores/memory.js'
import { RedisPubSubStore } from '../../src/pubsub/stores/redis.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import type { RedisCluster } from './redis-cluster.js'
import { waitFor } from './wait-for.js'
import { clusterBackend, memoryBackend, redisBackend, restrictedBackend, type StoreBackend } from './store-backends.js'

/** A server, and stores of messages on it, each as a process of its own has it. A contract is written against this and run on each. */
export interface PubSubBackend {
  /** The server: its clock, its raw commands. */
  readonly server: StoreBackend
  /** What services measure by. */
  readonly clock: Clock
  readonly cluster: RedisCluster | null
  /** There are no patterns. */
  readonly sharded: boolean
  /** Under a restricted user: he may listen to this pattern from now on. */
  readonly allow: ((keyPrefix: string, pattern: string) => Promise<void>) | null
  /** A client of its own. @param keepMs of logs that a group begins */
  store(keyPrefix: string, keepMs?: number): Promise<PubSubStore>
  /** Lets time pass on the clocks of the server and of the services. */
  elapse(ms: number): Promise<void>
  /** Lets time pass until the condition holds. */
  until(what: string, condition: () => boolean): Promise<void>
  close(): Promise<void>
}

export async function memoryMessages(): Promise<PubSubBackend> {
  const server = await memoryBackend()
  const hub = new MemoryHub({ clock: server.clock })
  return {
    server,
    clock: server.clock,
    cluster: null,
    sharded: false,
    allow: null,
    store: async (keyPrefix, keepMs) => new MemoryPubSubStore(hub, keyPrefix, keepMs),
    elapse: (ms) => server.elapse(ms),
    until: (what, condition) =>
      waitFor(what, async () => {
        await server.elapse(10)
        return condition()
      }),
    close: () => server.close(),
  }
}

/** A standalone Redis of its own. */
export async function redisMessages(): Promise<PubSubBackend> {
  const server = await redisBackend()
  return onRedis(server, { url: server.server.url })
}

/** A standalone Redis under the user of SECURITY.md. */
export async function restrictedMessages(): Promise<PubSubBackend> {
  const server = await restrictedBackend()
  const { host, port } = server.server
  return onRedis(server, { host, port, username: 'vextrus', password: 'secret' })
}

/**
 * A Cluster of three masters, under the user of SECURITY.md, with classic channels or sharded ones; the backends that are asked for share it.
 * @param uses how many: with the last one that is closed the Cluster ends
 */
export function clusterMessages(uses: number): (sharded: boolean) => Promise<PubSubBackend> {
  let cluster: ReturnType<typeof clusterBackend> | undefined
  let left = uses
  return async (sharded) => {
    cluster ??= clusterBackend()
    const server = await cluster
    const nodes = server.cluster.servers.slice(0, 3).map(({ host, port }) => ({ host, port }))
    const options: RedisConnectionOptions = { cluster: { nodes }, username: 'vextrus', password: 'secret' }
    return onRedis(server, options, { cluster: server.cluster, sharded, isLast: () => --left === 0 })
  }
}

/** A store on a connection of its own, and the way to close both. */
export async function redisMessageStore(
  options: RedisConnectionOptions,
  keyPrefix: string,
  { keepMs = 60_000, sharded = false }: { readonly keepMs?: number | undefined; readonly sharded?: boolean } = {},
): Promise<{ store: RedisPubSubStore; connection: RedisConnection; warnings: string[]; close(): Promise<void> }> {
  // Longer than a busy machine takes: no suite is about this.
  const connection = new RedisConnection({ commandTimeout: 5_000, ...options }, { logger: SILENT })
  await connection.ready()
  const warnings: string[] = []
  const store = new RedisPubSubStore(connection, connection.door, new Keyspace(keyPrefix), {
    keepMs,
    warn: (message) => warnings.push(message),
    sharded: sharded ? connection : undefined,
  })
  const close = async (): Promise<void> => {
    store.close()
    await connection.close()
  }
  return { store, connection, warnings, close }
}

function onRedis(
  server: StoreBackend,
  options: RedisConnectionOptions,
  {
    cluster = null,
    sharded = false,
    isLast = () => true,
  }: { readonly cluster?: RedisCluster | null; readonly sharded?: boolean; readonly isLast?: () => boolean } = {},
): PubSubBackend {
  const clients: Awaited<ReturnType<typeof redisMessageStore>>[] = []
  return {
    server,
    clock: systemClock,
    cluster,
    sharded,
    allow:
      options.username === undefined
        ? null
        : async (keyPrefix, pattern) => {
            const servers = cluster?.servers ?? [server.server!]
            const granted = `&${new Keyspace(keyPrefix).channels}${pattern}`
            await Promise.all(servers.map((each) => each.command('ACL', 'SETUSER', 'vextrus', granted)))
          },
    async store(keyPrefix, keepMs) {
      const client = await redisMessageStore(options, keyPrefix, { keepMs, sharded })
      clients.push(client)
      return client.store
    },
    elapse: (ms) => server.elapse(ms),
    until: (what, condition) => waitFor(what, condition),
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      // Looks on the way for keys that would stay for ever.
      if (isLast()) await server.close()
      const warnings = clients.flatMap((client) => client.warnings)
      if (warnings.length > 0) throw new Error(`messages were not heard: ${warnings.join('; ')}`)
    },
  }
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
