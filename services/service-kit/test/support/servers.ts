import type { EmbeddedPostgres } from '@vextrus/service-kit'
import { afterAll, beforeAll } from 'vitest'
import { type RedisServer, startRedis } from '../../../../packages/shared/test/support/redis-server.js'
import { startDatabase } from './test-service.js'

/** The servers of one spec file. They are there from the first test on, and not before. */
export interface Servers {
  readonly database: EmbeddedPostgres
  readonly redis: RedisServer
}

/**
 * Its address for a service that has the time of a busy machine: what is answered after the default's half second is a miss, or is not stored.
 * Not where Redis hangs, for then each call waits so long.
 */
export function patient({ url }: RedisServer) {
  return { url, commandTimeout: '10s' }
}

/** Starts an embedded Postgres and a Redis before the tests of the file, and stops them afterwards. */
export function startServers(): Servers {
  const servers: { database?: EmbeddedPostgres; redis?: RedisServer } = {}
  beforeAll(async () => {
    ;[servers.database, servers.redis] = await Promise.all([startDatabase(), startRedis()])
  })
  afterAll(async () => {
    await servers.redis?.stop()
    await servers.database?.stop()
  })
  return servers as Servers
}
