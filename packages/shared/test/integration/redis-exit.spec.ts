import { expect, it } from 'vitest'
import { RedisConnection } from '../../src/redis/index.js'
import { freePort, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** Sockets and timers that keep this process alive. Alone in its file: nothing else opens or ends any meanwhile. */
function held(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap' || kind === 'Timeout')
}

it('a connection that was closed leaves nothing behind that keeps the process alive', async () => {
  const redis = await startRedis()
  const absent = await freePort()
  const before = held()
  const logger = { warn() {}, log() {}, debug() {} }

  const connection = new RedisConnection({ url: redis.url }, { logger })
  await connection.ready()
  expect(held().length).toBeGreaterThan(before.length)
  await connection.close()

  const hopeless = new RedisConnection({ host: '127.0.0.1', port: absent }, { logger })
  await expect(hopeless.ready()).rejects.toThrow('not connected')
  await hopeless.close()

  await waitFor('all is released', () => held().length <= before.length)
  expect(held()).toEqual(before)
  await redis.stop()
})
