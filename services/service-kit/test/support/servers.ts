import { afterAll, beforeAll } from 'vitest'
import { type RedisServer, startRedis } from '../../../../packages/shared/test/support/redis-server.js'
import { startDatabase, type TestDatabase } from './test-service.js'

/** The servers of one spec file. They are there from the first test on, and not before. */
export interface Servers {
  readonly database: TestDatabase
  readonly redis: RedisServer
}

/**
 * Its address for a service that has the time of a busy machine: what is answered after the default's half second is a miss, or is not stored.
 * Not where Redis hangs, for then each call waits so long.
 */
export function patient({ url }: RedisServer) {
  return { url, commandTimeout: '10s' }
}

/** Starts a Postgres and a Redis before the tests of the file, and stops them afterwards. */
export function startServers(startPostgres: () => Promise<TestDatabase> = startDatabase): Servers {
  const servers: { database?: TestDatabase; redis?: RedisServer } = {}
  beforeAll(async () => {
    ;[servers.database, servers.redis] = await Promise.all([startPostgres(), startRedis()])
  })
  afterAll(async () => {
    await servers.redis?.stop()
    await servers.database?.stop()
  })
  return servers as Servers
}
