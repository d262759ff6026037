import { afterEach, beforeEach, expect, it } from 'vitest'
import { RedisCacheService } from '../../src/cache/cache.js'
import { RedisCacheStore } from '../../src/cache/stores/redis.js'
import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { waitFor } from '../support/wait-for.js'
import { Network } from './network.js'

const TIMEOUT_MS = 2_000

let server: RedisServer
let network: Network
const connections: RedisConnection[] = []

beforeEach(async () => {
  server = await startRedis()
  network = await Network.to(server.port, new SeededRandom(1))
})
afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()))
  await network.stop()
  await server.stop()
})

/**
 * R14: a `set` that its caller has given up must not land later. Here the connection is lost long before the deadline up to which the server
 * would take what was sent on it: so the caller is told at the deadline, and not sooner.
 */
it('a set whose connection was lost does not overwrite a newer one when it arrives after it', async () => {
  const others = await clients()
  const slow = await cacheOn(network.port)
  await slow.set('k', 'first')
  const [connection] = (await clients()).filter((client) => !others.includes(client))
  const other = await cacheOn(server.port)

  network.holdFor(0.8 * TIMEOUT_MS)
  const lost = slow.set('k', 'older', { onUnavailable: 'throw' })
  await waitFor('it is on its way', () => network.carries('older'))
  network.cut()
  await expect(lost).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })

  await other.set('k', 'newer', { onUnavailable: 'throw' })
  // Once the server has seen the end of that connection, it has run all that came on it.
  await waitFor('the end of the connection', async () => !(await clients()).includes(connection!))
  // Not 'older'; null, once the key of the write that failed was deleted (R24).
  expect(['newer', null]).toContain(await other.get('k'))
})

async function cacheOn(port: number): Promise<RedisCacheService> {
  const connection = new RedisConnection({ host: server.host, port, commandTimeout: TIMEOUT_MS }, { logger: SILENT })
  connections.push(connection)
  await connection.ready()
  const keyspace = new Keyspace()
  const pushes = new RedisPushes(connection, keyspace, () => undefined)
  return new RedisCacheService(
    new RedisCacheStore(connection, keyspace, pushes, { deadlineMs: connection.commandTimeoutMs }),
  )
}

/** The server's numbers for its connections. */
async function clients(): Promise<string[]> {
  return String(await server.command('CLIENT', 'LIST')).match(/\bid=\d+/g) ?? []
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
