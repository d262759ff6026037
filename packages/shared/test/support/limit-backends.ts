import { MemoryHub } from '../../src/kernel/memory-hub.js'
import type { RateLimitStore } from '../../src/rate-limit/rate-limit-store.js'
import { MemoryRateLimitStore } from '../../src/rate-limit/stores/memory.js'
import { RedisRateLimitStore } from '../../src/rate-limit/stores/redis.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import { clusterBackend, memoryBackend, redisBackend, restrictedBackend, type StoreBackend } from './store-backends.js'

/** A server, and stores of limits on it, each as a process of its own has it. A contract is written against this and run on each. */
export interface LimitBackend {
  /** The server: its clock, its raw commands. */
  readonly server: StoreBackend
  /** A client of its own. */
  store(keyPrefix: string): Promise<RateLimitStore>
  close(): Promise<void>
}

export async function memoryLimits(): Promise<LimitBackend> {
  const server = await memoryBackend()
  const hub = new MemoryHub({ clock: server.clock })
  return { server, store: async (keyPrefix) => new MemoryRateLimitStore(hub, keyPrefix), close: () => server.close() }
}

/** A standalone Redis of its own. */
export async function redisLimits(): Promise<LimitBackend> {
  const server = await redisBackend()
  return onRedis(server, { url: server.server.url })
}

/** A standalone Redis under the user of SECURITY.md. */
export async function restrictedLimits(): Promise<LimitBackend> {
  const server = await restrictedBackend()
  const { host, port } = server.server
  return onRedis(server, { host, port, username: 'vextrus', password: 'secret' })
}

/** A Cluster of three masters, under the user of SECURITY.md. */
export async function clusterLimits(): Promise<LimitBackend> {
  const server = await clusterBackend()
  const nodes = server.cluster.servers.slice(0, 3).map(({ host, port }) => ({ host, port }))
  return onRedis(server, { cluster: { nodes }, username: 'vextrus', password: 'secret' })
}

/** A store on a connection of its own, and the way to close both. */
export async function redisLimitStore(
  options: RedisConnectionOptions,
  keyPrefix: string,
  timeoutMs = TIMEOUT_MS,
): Promise<{ store: RedisRateLimitStore; connection: RedisConnection; warnings: string[]; close(): Promise<void> }> {
  const connection = new RedisConnection({ commandTimeout: 2 * TIMEOUT_MS, ...options }, { logger: SILENT })
  await connection.ready()
  const warnings: string[] = []
  const warn = (message: string): void => void warnings.push(message)
  const store = new RedisRateLimitStore(connection, connection.door, new Keyspace(keyPrefix), { timeoutMs, warn })
  const close = async (): Promise<void> => {
    store.close()
    await connection.close()
  }
  return { store, connection, warnings, close }
}

function onRedis(server: StoreBackend, options: RedisConnectionOptions): LimitBackend {
  const clients: Awaited<ReturnType<typeof redisLimitStore>>[] = []
  return {
    server,
    async store(keyPrefix) {
      const client = await redisLimitStore(options, keyPrefix)
      clients.push(client)
      return client.store
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      // Looks on the way for keys that would stay for ever.
      await server.close()
      const warnings = clients.flatMap((client) => client.warnings)
      if (warnings.length > 0) throw new Error(`news were not heard: ${warnings.join('; ')}`)
    },
  }
}

/** Longer than a busy machine takes: no suite is about this. */
const TIMEOUT_MS = 5_000
const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
