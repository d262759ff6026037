import { RedisCacheService } from '../../src/cache/cache.js'
import type { CacheOptions } from '../../src/cache/options.js'
import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { RedisCacheStore, type RedisCacheStoreOptions } from '../../src/cache/stores/redis.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'
import type { Committed } from './model.js'

/** How long an answer of Redis is waited for, in these tests. */
export const COMMAND_TIMEOUT_MS = 400

/** The tag clock's key. */
export const TAG_CLOCK = 'vextrus@tags'

/** A cache as one process has it: with connections of its own. */
export interface Member {
  readonly name: string
  readonly cache: RedisCacheService
  readonly connection: RedisConnection
  /** What it has committed and could not invalidate, which it repeats by itself (R24). */
  readonly owed: Committed[]
  /** The newest versions that it has failed to invalidate, by key. */
  readonly own: Map<string, number>
}

/** The caches of several processes on one server. */
export class Fleet {
  private constructor(
    readonly members: readonly Member[],
    private readonly ends: readonly (() => Promise<void>)[],
  ) {}

  /** Connects; resolves when all of them hear the server's pushes. */
  static async on(server: RedisServer, size: number, options: FleetOptions = {}): Promise<Fleet> {
    const made = await Promise.all(Array.from({ length: size }, (_, i) => join(server, `process ${i + 1}`, options)))
    return new Fleet(
      made.map(({ member }) => member),
      made.map(({ end }) => end),
    )
  }

  /** Invalidations that are still owed, by all of them. */
  get pending(): number {
    return this.members.reduce((sum, { cache }) => sum + cache.getStatistics().pending, 0)
  }

  async close(): Promise<void> {
    await Promise.all(this.ends.map((end) => end()))
  }
}

export interface FleetOptions {
  readonly cache?: CacheOptions | undefined
  readonly onFailover?: RedisCacheStoreOptions['onFailover']
}

async function join(
  server: RedisServer,
  name: string,
  { cache: settings, onFailover }: FleetOptions,
): Promise<{ member: Member; end: () => Promise<void> }> {
  const connection = new RedisConnection({ url: server.url, commandTimeout: COMMAND_TIMEOUT_MS }, { logger: SILENT })
  await connection.ready()
  const keyspace = new Keyspace('vextrus:')
  const pushes = new RedisPushes(connection, keyspace, () => undefined)
  pushes.start()
  const store = new RedisCacheStore(connection, keyspace, pushes, { deadlineMs: COMMAND_TIMEOUT_MS, onFailover })
  // Strict: whatever is answered is held to be as fresh as the store's own answer, from memory too (R21).
  const cache = new RedisCacheService(store, { l1: { staleness: 'strict' }, ...settings })
  await waitFor('the pushes to flow', () => pushes.live)
  return {
    member: { name, cache, connection, owed: [], own: new Map() },
    async end() {
      await cache.close()
      pushes.close()
      await connection.close()
    },
  }
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
