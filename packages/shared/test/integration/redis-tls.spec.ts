import { connect, type Socket } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RedisConnection, type RedisConnectionOptions } from '../../src/redis/index.js'
import { command } from '../../src/redis/script.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { selfSigned } from '../support/self-signed.js'

describe('a connection over TLS', () => {
  const { key, cert } = selfSigned()
  const sockets = new Set<Socket>()
  let redis: RedisServer
  let terminator: Server
  let port: number

  beforeAll(async () => {
    redis = await startRedis({ password: 'secret' })
    // Not every build of Redis has TLS: it ends in front of it, as with a managed one.
    terminator = createServer({ key, cert }, (secure) => {
      const plain = connect(redis.port, redis.host)
      for (const socket of [secure, plain]) {
        sockets.add(socket)
        socket.on('error', () => undefined)
      }
      secure.pipe(plain).pipe(secure)
    })
    await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve))
    port = (terminator.address() as { port: number }).port
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => terminator.close(resolve))
    await redis.stop()
  })

  async function attempt(options: RedisConnectionOptions): Promise<unknown> {
    const connection = new RedisConnection(options, { logger: { warn() {}, log() {}, debug() {} } })
    try {
      await connection.ready()
      return (await connection.shardOf('')!.exec([command('PING', [])])).replies[0]
    } catch (error) {
      return error
    } finally {
      await connection.close()
    }
  }

  it('works with a certificate that is trusted', async () => {
    expect(await attempt({ host: '127.0.0.1', port, password: 'secret', tls: { ca: cert } })).toBe('PONG')
  })

  it('names `tls` when the certificate is not trusted', async () => {
    const error = await attempt({ host: '127.0.0.1', port, password: 'secret', tls: true })
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', message: expect.stringContaining('`tls`') })
    expect(error).toMatchObject({ message: expect.stringMatching(/self.signed/) })
  })

  it('names `tls` when only the server speaks it', async () => {
    const error = await attempt({ host: '127.0.0.1', port, password: 'secret' })
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', message: expect.stringContaining('`tls`') })
  })
})
