import { expect, it, vi } from 'vitest'
import { RedisConnection } from '../connection.js'

vi.mock('ioredis', () => {
  throw Object.assign(new Error("Cannot find package 'ioredis'"), { code: 'ERR_MODULE_NOT_FOUND' })
})

it('a connection without ioredis installed says which package to install, and closes', async () => {
  const connection = new RedisConnection()
  const missing = { code: 'MISSING_PEER', message: expect.stringContaining('npm install ioredis') }
  await expect(connection.connect()).rejects.toMatchObject(missing)
  await expect(connection.ready()).rejects.toMatchObject(missing)
  await connection.close()
  expect(connection.status).toBe('closed')
})
