import type { CacheStore } from '../../src/cache/cache-store.js'
import { MemoryHub } from '../../src/cache/stores/memory-hub.js'
import { MemoryCacheStore } from '../../src/cache/stores/memory.js'
import { RedisWakes } from '../../src/cache/stores/redis-wakes.js'
import { RedisCacheStore } from '../../src/cache/stores/redis.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { loseClock } from './memory-faults.js'
import { type RedisServer, startRedis } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** A server, and stores on it as its clients. A contract is written against this and run on each. */
export interface StoreBackend {
  /** A client of its own. */
  store(keyPrefix: string): Promise<CacheStore>
  /** The server's clock moves on by at least this much. */
  elapse(ms: number): Promise<void>
  /** The tag clock's key is gone. */
  loseClock(keyPrefix: string): Promise<void>
  /** A lease is gone, as after an eviction. */
  loseLease(keyPrefix: string, key: string): Promise<void>
  /** Milliseconds that Redis would still keep the entry; null where there is no server that could be asked. */
  physicalTtl(keyPrefix: string, key: string): Promise<number | null>
  /** A raw command on the server that holds a Redis key. */
  command(redisKey: string, ...command: string[]): Promise<unknown>
  /** Only a real server can be away. */
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
    elapse: (ms) => clock.advance(ms),
    loseClock: async (keyPrefix) => loseClock(hub.space(keyPrefix)),
    loseLease: async (keyPrefix, key) => void hub.space(keyPrefix).dropLease(key),
    physicalTtl: async () => null,
    command: () => Promise.reject(new Error('there is no server')),
    close: async () => undefined,
  }
}

/** A standalone Redis of its own. */
export async function redisBackend({ commandTimeout = 2_000 } = {}): Promise<StoreBackend & { server: RedisServer }> {
  const server = await startRedis()
  const clients: { close(): Promise<void> }[] = []
  const now = async (): Promise<number> => {
    const [seconds, micros] = (await server.command('TIME')) as [string, string]
    return Number(seconds) * 1_000 + Number(micros) / 1_000
  }
  return {
    server,
    async store(keyPrefix) {
      const client = await connected(server, new Keyspace(keyPrefix), commandTimeout)
      clients.push(client)
      return client.store
    },
    async elapse(ms) {
      const end = (await now()) + ms
      await waitFor(`${ms} ms on the server's clock`, async () => (await now()) >= end)
    },
    loseClock: async (keyPrefix) => void (await server.command('DEL', new Keyspace(keyPrefix).tags)),
    loseLease: async (keyPrefix, key) => void (await server.command('DEL', new Keyspace(keyPrefix).lease(key))),
    physicalTtl: async (keyPrefix, key) => Number(await server.command('PTTL', new Keyspace(keyPrefix).entry(key))),
    command: (_key, ...command) => server.command(...(command as [string, ...string[]])),
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      // Whatever the suite did, nothing of ours may stay for ever but the tag clocks.
      const forEver = await server.scanKeysWithoutTtl([])
      await server.stop()
      const unexpected = forEver.filter((key) => !key.endsWith('@tags'))
      if (unexpected.length > 0) throw new Error(`keys without a TTL after the suite: ${unexpected.join(', ')}`)
    },
  }
}

/** A connection of its own, its pushes and the store on it. */
export async function connected(
  server: RedisServer,
  keyspace: Keyspace,
  commandTimeout: number,
): Promise<{ store: RedisCacheStore; connection: RedisConnection; close(): Promise<void> }> {
  const connection = new RedisConnection({ url: server.url, commandTimeout }, { logger: SILENT })
  await connection.ready()
  const wakes = new RedisWakes(connection, keyspace, (message) => {
    throw new Error(message)
  })
  wakes.start()
  await waitFor('the pushes to flow', () => wakes.live)
  return {
    connection,
    store: new RedisCacheStore(connection, keyspace, wakes, { deadlineMs: connection.commandTimeoutMs }),
    async close() {
      wakes.close()
      await connection.close()
    },
  }
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
