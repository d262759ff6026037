import type { EmbeddedPostgres } from '@vextrus/service-kit'
import { afterAll, beforeAll } from 'vitest'
import { type RedisServer, startRedis } from '../../../../packages/shared/test/support/redis-server.js'
import { startDatabase } from './test-service.js'

/** The servers of one spec file. They are there from the first test on, and not before. */
export interface Servers {
  readonly database: EmbeddedPostgres
  readonly redis: RedisServer
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
