import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RedisConnection } from '../../src/redis/index.js'
import { scan } from '../../src/redis/scan.js'
import { command } from '../../src/redis/script.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

describe('a scan', () => {
  let server: RedisServer
  let connection: RedisConnection
  const names = Array.from({ length: 1_000 }, (_, i) => `vextrus:product:${i}`)

  beforeAll(async () => {
    server = await startRedis({ appendonly: true })
    connection = new RedisConnection({ url: server.url }, { logger: { warn() {}, log() {}, debug() {} } })
    await connection.ready()
    await connection
      .shardOf('')!
      .exec([...names, 'vextrus:user:1', 'other:product:1'].map((name) => command('SET', [name, '1', 'PX', 60_000])))
  })
  afterAll(async () => {
    await connection.close()
    await server.stop()
  })

  it('finds every key that matches the glob, in batches', async () => {
    const batches: (readonly string[])[] = []
    for await (const batch of scan(connection.shardOf('')!, 'vextrus:product:*', { count: 100 })) batches.push(batch)
    expect(batches.length).toBeGreaterThan(1)
    expect([...new Set(batches.flat())].sort()).toEqual([...names].sort())
  })

  it('yields nothing where nothing matches', async () => {
    const found: unknown[] = []
    for await (const batch of scan(connection.shardOf('')!, 'absent:*')) found.push(batch)
    expect(found).toEqual([])
  })

  it('does not survive a reconnect', async () => {
    const walk = scan(connection.shardOf('')!, 'vextrus:*', { count: 10 })
    expect((await walk.next()).done).toBe(false)
    const { session } = connection.shardOf('')!
    await server.restart()
    await waitFor('connected anew', () => ![undefined, session].includes(connection.shardOf('')!.session))
    await expect(walk.next()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'lost' })
  })

  it('rejects while Redis is away', async () => {
    await server.kill()
    await waitFor('lost', () => connection.status !== 'ready')
    await expect(scan(connection.shardOf('')!, '*').next()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    await server.restart()
    await waitFor('ready again', () => connection.status === 'ready')
  })
})
