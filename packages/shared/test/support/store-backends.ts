import { readFile } from 'node:fs/promises'
import type { CacheStore } from '../../src/cache/cache-store.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { spaceOf } from '../../src/cache/stores/memory-space.js'
import { MemoryCacheStore } from '../../src/cache/stores/memory.js'
import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { RedisCacheStore } from '../../src/cache/stores/redis.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { loseClock } from './memory-faults.js'
import { type RedisCluster, startCluster } from './redis-cluster.js'
import { type RedisServer, startRedis } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** A server, and stores on it as its clients. A contract is written against this and run on each. */
export interface StoreBackend {
  /** A client of its own. */
  store(keyPrefix: string): Promise<CacheStore>
  /**
   * Lets go of the clients that were made so far; what it answers closes them. Each has connections with heartbeats, on a Cluster six: those of a
   * whole suite would starve its last tests.
   */
  release(): () => Promise<void>
  /** The server's clock moves on by at least this much. */
  elapse(ms: number): Promise<void>
  /** The tag clock's key is gone. */
  loseClock(keyPrefix: string): Promise<void>
  /** A lease is gone, as after an eviction. */
  loseLease(keyPrefix: string, key: string): Promise<void>
  /** Milliseconds that Redis would still keep the entry; null where there is no server that could be asked. */
  physicalTtl(keyPrefix: string, key: string): Promise<number | null>
  /** A raw command on the server that holds a Redis key; null where there is no server. */
  readonly command: ((redisKey: string, name: string, ...args: string[]) => Promise<unknown>) | null
  /** The one real server, where there is one: it can be away. */
  readonly server: RedisServer | null
  close(): Promise<void>
}

export async function memoryBackend(): Promise<StoreBackend & { readonly clock: FakeClock }> {
  const clock = new FakeClock()
  const hub = new MemoryHub({ clock })
  return {
    clock,
    server: null,
    store: async (keyPrefix) => new MemoryCacheStore(hub, keyPrefix),
    release: () => async () => undefined,
    elapse: (ms) => clock.advance(ms),
    loseClock: async (keyPrefix) => loseClock(spaceOf(hub, keyPrefix)),
    loseLease: async (keyPrefix, key) => void spaceOf(hub, keyPrefix).dropLease(key),
    physicalTtl: async () => null,
    command: null,
    close: async () => undefined,
  }
}

/** A standalone Redis of its own. */
export async function redisBackend({ commandTimeout = 2_000 } = {}): Promise<StoreBackend & { server: RedisServer }> {
  const server = await startRedis()
  const backend = serverBackend([server], async () => server, { url: server.url, commandTimeout })
  return { ...backend, server, close: () => backend.close(() => server.stop()) }
}

/**
 * A standalone Redis whose user may do what SECURITY.md says that it must, and nothing else.
 * @param denied and not even that
 */
export async function restrictedBackend(
  ...denied: readonly '-client|tracking'[]
): Promise<StoreBackend & { server: RedisServer }> {
  const server = await startRedis()
  await server.command('ACL', 'SETUSER', 'vextrus', 'on', '>secret', ...(await documentedAclRule()), ...denied)
  const { host, port } = server
  const options = { host, port, username: 'vextrus', password: 'secret', commandTimeout: 2_000 }
  const backend = serverBackend([server], async () => server, options, denied.length > 0)
  return { ...backend, server, close: () => backend.close(() => server.stop()) }
}

/** The documented user, but for `CLIENT TRACKING`: what is written is heard of by what the writes publish (R23). */
export const publishedBackend = (): ReturnType<typeof restrictedBackend> => restrictedBackend('-client|tracking')

/** {@link publishedBackend} on a Cluster. */
export const publishedClusterBackend = (): ReturnType<typeof clusterBackend> => clusterBackend('-client|tracking')

/**
 * A Cluster of three masters with a replica each, under the documented user.
 * @param denied but for that
 */
export async function clusterBackend(
  ...denied: readonly '-client|tracking'[]
): Promise<StoreBackend & { readonly cluster: RedisCluster }> {
  const cluster = await startCluster()
  const masters = cluster.servers.slice(0, 3)
  const rule = [...(await documentedAclRule()), ...denied]
  await Promise.all(
    cluster.servers.map((server) => server.command('ACL', 'SETUSER', 'vextrus', 'on', '>secret', ...rule)),
  )
  const options = {
    cluster: { nodes: masters.map(({ host, port }) => ({ host, port })) },
    ...{ username: 'vextrus', password: 'secret', commandTimeout: 2_000 },
  }
  const backend = serverBackend(masters, (key) => cluster.masterOf(key), options, denied.length > 0)
  return { ...backend, cluster, server: null, close: () => backend.close(() => cluster.stop()) }
}

/** @param serverOf the one that holds a key of Redis @param tracksNot see {@link connected} */
function serverBackend(
  servers: readonly RedisServer[],
  serverOf: (redisKey: string) => Promise<RedisServer>,
  options: RedisConnectionOptions,
  tracksNot = false,
): Omit<StoreBackend, 'close' | 'server'> & { close(stop: () => Promise<void>): Promise<void> } {
  const clients: { close(): Promise<void> }[] = []
  const release = (): (() => Promise<void>) => {
    const released = clients.splice(0)
    return async () => void (await Promise.all(released.map((client) => client.close())))
  }
  const now = async (): Promise<number> => {
    const times = (await Promise.all(servers.map((server) => server.command('TIME')))) as [string, string][]
    return Math.min(...times.map(([seconds, micros]) => Number(seconds) * 1_000 + Number(micros) / 1_000))
  }
  const command = async (redisKey: string, name: string, ...args: string[]): Promise<unknown> =>
    (await serverOf(redisKey)).command(name, ...args)
  return {
    command,
    release,
    async store(keyPrefix) {
      const client = await connected(options, new Keyspace(keyPrefix), tracksNot)
      clients.push(client)
      return client.store
    },
    async elapse(ms) {
      const end = (await now()) + ms
      await waitFor(`${ms} ms on the servers' clocks`, async () => (await now()) >= end)
    },
    async loseClock(keyPrefix) {
      const { tags } = new Keyspace(keyPrefix)
      await command(tags, 'DEL', tags)
    },
    async loseLease(keyPrefix, key) {
      const lease = new Keyspace(keyPrefix).lease(key)
      await command(lease, 'DEL', lease)
    },
    async physicalTtl(keyPrefix, key) {
      const entry = new Keyspace(keyPrefix).entry(key)
      return Number(await command(entry, 'PTTL', entry))
    },
    async close(stop) {
      await release()()
      // Whatever the suite did, nothing of ours may stay for ever but the tag clocks.
      const forEver = (await Promise.all(servers.map((server) => server.scanKeysWithoutTtl([])))).flat()
      await stop()
      const unexpected = forEver.filter((key) => !key.endsWith('@tags'))
      if (unexpected.length > 0) throw new Error(`keys without a TTL after the suite: ${unexpected.join(', ')}`)
    },
  }
}

/**
 * A connection of its own, its pushes and the store on it.
 * @param tracksNot the user is refused tracking, and his writes are published
 */
export async function connected(
  options: RedisConnectionOptions,
  keyspace: Keyspace,
  tracksNot = false,
): Promise<{ store: RedisCacheStore; connection: RedisConnection; close(): Promise<void> }> {
  const connection = new RedisConnection(options, { logger: SILENT })
  await connection.ready()
  const pushes = new RedisPushes(connection, keyspace, (message) => {
    if (!tracksNot) throw new Error(message)
  })
  pushes.start()
  // Where writes are published they are heard of at once; what may be kept near begins later.
  await waitFor('the pushes to flow', () => (tracksNot ? pushes.telling === 'must' : pushes.live))
  return {
    connection,
    store: new RedisCacheStore(connection, keyspace, pushes, { deadlineMs: connection.commandTimeoutMs }),
    async close() {
      pushes.close()
      await connection.close()
    },
  }
}

/** The words behind `ACL SETUSER vextrus on >…` in SECURITY.md. */
export async function documentedAclRule(): Promise<string[]> {
  const text = await readFile(new URL('../../../../SECURITY.md', import.meta.url), 'utf8')
  const [, rule] = /^ACL SETUSER vextrus on >\S+ (.+)$/m.exec(text) ?? []
  if (rule === undefined) throw new Error('SECURITY.md shows no ACL rule')
  return rule.split(' ')
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
