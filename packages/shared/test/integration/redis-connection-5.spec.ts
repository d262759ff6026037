import { Redis as Redis5 } from 'ioredis5'
import { expect, it, vi } from 'vitest'
import { RedisConnection } from '../../src/redis/index.js'

// Everything that redis-connection.spec.ts says of a connection, where the application has ioredis 5.
vi.mock('ioredis', () => import('ioredis5'))
await import('./redis-connection.spec.js')

it('a connection is made with the ioredis that is installed', async () => {
  const connection = new RedisConnection(
    { host: '127.0.0.1', port: 1 },
    { logger: { warn() {}, log() {}, debug() {} } },
  )
  await connection.connect()
  expect(connection.client).toBeInstanceOf(Redis5)
  await connection.close()
})
