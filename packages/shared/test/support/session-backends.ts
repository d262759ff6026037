import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import type { SessionStore } from '../../src/session/index.js'
import { MemorySessionStore } from '../../src/session/stores/memory.js'
import { RedisSessionStore } from '../../src/session/stores/redis.js'
import type { RedisServer } from './redis-server.js'
import { clusterBackend, memoryBackend, redisBackend, restrictedBackend, type StoreBackend } from './store-backends.js'

/** A server, and stores of sessions on it, each as a process of its own has it. A contract is written against this and run on each. */
export interface SessionBackend {
  /** The server: its clock, its raw commands. */
  readonly server: StoreBackend
  /** Masters, whose keys a test looks through; none in memory. */
  readonly masters: readonly RedisServer[]
  /** A client of its own. */
  store(keyPrefix: string): Promise<SessionStore>
  close(): Promise<void>
}

export async function memorySessions(): Promise<SessionBackend> {
  const server = await memoryBackend()
  const hub = new MemoryHub({ clock: server.clock })
  const store = async (keyPrefix: string): Promise<SessionStore> => new MemorySessionStore(hub, keyPrefix)
  return { server, masters: [], store, close: () => server.close() }
}

/** A standalone Redis of its own. */
export async function redisSessions(): Promise<SessionBackend> {
  const server = await redisBackend()
  return onRedis(server, [server.server], { url: server.server.url })
}

/** A standalone Redis under the user of SECURITY.md. */
export async function restrictedSessions(): Promise<SessionBackend> {
  const server = await restrictedBackend()
  const { host, port } = server.server
  return onRedis(server, [server.server], { host, port, username: 'vextrus', password: 'secret' })
}

/** A Cluster of three masters, under the user of SECURITY.md. */
export async function clusterSessions(): Promise<SessionBackend> {
  const server = await clusterBackend()
  const masters = server.cluster.servers.slice(0, 3)
  const nodes = masters.map(({ host, port }) => ({ host, port }))
  return onRedis(server, masters, { cluster: { nodes }, username: 'vextrus', password: 'secret' })
}

/** A store on a connection of its own. */
export async function redisSessionStore(
  options: RedisConnectionOptions,
  keyPrefix: string,
  { text = false }: { readonly text?: boolean } = {},
): Promise<{ store: RedisSessionStore; connection: RedisConnection }> {
  const connection = new RedisConnection({ commandTimeout: PATIENCE_MS, ...options }, { logger: SILENT })
  await connection.ready()
  return { store: new RedisSessionStore(connection, new Keyspace(keyPrefix), { text }), connection }
}

function onRedis(
  server: StoreBackend,
  masters: readonly RedisServer[],
  options: RedisConnectionOptions,
): SessionBackend {
  const connections: RedisConnection[] = []
  return {
    server,
    masters,
    async store(keyPrefix) {
      const { store, connection } = await redisSessionStore(options, keyPrefix)
      connections.push(connection)
      return store
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()))
      // Looks on the way for keys that would stay for ever.
      await server.close()
    },
  }
}

/** Longer than a busy machine takes: no suite is about this. */
const PATIENCE_MS = 5_000
const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }

/** All that lies under a prefix: keys, and what is in them, as text. */
export async function everythingIn(masters: readonly RedisServer[], keyPrefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const master of masters) {
    let cursor = '0'
    do {
      const [next, keys] = (await master.command('SCAN', cursor, 'MATCH', `${keyPrefix}*`)) as [string, string[]]
      cursor = next
      for (const key of keys) {
        const type = await master.command('TYPE', key)
        const content =
          type === 'hash' ? await master.command('HGETALL', key) : await master.command('ZRANGE', key, 0, -1)
        found.set(key, JSON.stringify(content))
      }
    } while (cursor !== '0')
  }
  return found
}
