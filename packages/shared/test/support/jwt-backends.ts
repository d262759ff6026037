import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { JwtBlacklistService, type JwtStore, RefreshTokenFamilies } from '../../src/jwt/index.js'
import type { JwtBlacklistOptions } from '../../src/jwt/options.js'
import { MemoryJwtStore } from '../../src/jwt/stores/memory.js'
import { RedisJwtStore } from '../../src/jwt/stores/redis.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import {
  clusterBackend,
  memoryBackend,
  publishedBackend,
  redisBackend,
  restrictedBackend,
  type StoreBackend,
} from './store-backends.js'
import { waitFor } from './wait-for.js'

/** A server, and stores of revocations on it, each as a process of its own has it. A contract is written against this and run on each. */
export interface JwtBackend {
  /** The server: its clock, its raw commands. */
  readonly server: StoreBackend
  /** Milliseconds since 1970 on the server's clock. */
  nowMs(): Promise<number>
  /** A client of its own. */
  store(keyPrefix: string): Promise<JwtStore>
  close(): Promise<void>
}

export async function memoryRevocations(): Promise<JwtBackend> {
  const server = await memoryBackend()
  const hub = new MemoryHub({ clock: server.clock })
  return {
    server,
    nowMs: async () => server.clock.wall(),
    store: async (keyPrefix) => new MemoryJwtStore(hub, keyPrefix),
    close: () => server.close(),
  }
}

/** A standalone Redis of its own. */
export async function redisRevocations(): Promise<JwtBackend> {
  const server = await redisBackend()
  return onRedis(server, { url: server.server.url })
}

/** A standalone Redis under the user of SECURITY.md. */
export async function restrictedRevocations(): Promise<JwtBackend> {
  return asUser(await restrictedBackend())
}

/** The same, where tracking is refused: what is written is heard of by what the writes publish (R23). */
export async function publishedRevocations(): Promise<JwtBackend> {
  return asUser(await publishedBackend(), { tracksNot: true })
}

/** A Cluster of three masters, under the user of SECURITY.md. */
export async function clusterRevocations(): Promise<JwtBackend> {
  const server = await clusterBackend()
  const nodes = server.cluster.servers.slice(0, 3).map(({ host, port }) => ({ host, port }))
  return onRedis(server, { cluster: { nodes }, username: 'vextrus', password: 'secret' })
}

function asUser(server: Awaited<ReturnType<typeof restrictedBackend>>, options: JwtProcessOptions = {}): JwtBackend {
  const { host, port } = server.server
  return onRedis(server, { host, port, username: 'vextrus', password: 'secret' }, options)
}

function onRedis(server: StoreBackend, connect: RedisConnectionOptions, options: JwtProcessOptions = {}): JwtBackend {
  const clients: { close(): Promise<void> }[] = []
  return {
    server,
    async nowMs() {
      const [seconds, micros] = (await server.command!('', 'TIME')) as [string, string]
      return Number(seconds) * 1_000 + Number(micros) / 1_000
    },
    async store(keyPrefix) {
      const client = await jwtProcess({ commandTimeout: 2_000, ...connect }, { keyPrefix, ...options })
      clients.push(client)
      return client.store
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      // Looks on the way for keys that would stay for ever.
      await server.close()
    },
  }
}

/** What a process has of the toolkit, on connections of its own. */
export interface JwtProcess {
  readonly store: JwtStore
  readonly connection: RedisConnection
  readonly pushes: RedisPushes
  readonly blacklist: JwtBlacklistService
  readonly families: RefreshTokenFamilies
  close(): Promise<void>
}

export interface JwtProcessOptions {
  readonly keyPrefix?: string
  readonly jwt?: JwtBlacklistOptions
  readonly stalenessMs?: number
  /** The user is refused tracking. */
  readonly tracksNot?: boolean
  /** Others are. */
  readonly mixed?: boolean
}

export async function jwtProcess(
  connect: RedisConnectionOptions,
  { keyPrefix = 'vextrus:', jwt = {}, stalenessMs = 2_000, tracksNot = false, mixed = false }: JwtProcessOptions = {},
): Promise<JwtProcess> {
  const keyspace = new Keyspace(keyPrefix)
  const connection = new RedisConnection(connect, { logger: SILENT })
  await connection.ready()
  const pushes = new RedisPushes(
    connection,
    keyspace,
    (message) => {
      if (!tracksNot && !mixed) throw new Error(message)
    },
    { stalenessMs },
  )
  pushes.start()
  // Where writes are published they are heard of at once; what may be kept near begins later.
  await waitFor('the pushes to flow', () => (tracksNot ? pushes.telling === 'must' : pushes.live))
  const store = new RedisJwtStore(connection, pushes.sourceOf(keyspace.jwt), keyspace)
  const blacklist = new JwtBlacklistService(() => store, jwt, { stalenessMs })
  const families = new RefreshTokenFamilies(
    () => store,
    jwt,
    (mark) => blacklist.forget(mark),
  )
  const close = async (): Promise<void> => {
    blacklist.close()
    pushes.close()
    await connection.close()
  }
  return { store, connection, pushes, blacklist, families, close }
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
