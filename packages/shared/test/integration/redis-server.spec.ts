import { afterEach, describe, expect, it } from 'vitest'
import { existsSync } from 'node:fs'
import { type RedisServer, startRedis } from '../support/redis-server.js'

describe('the Redis server of the tests', () => {
  let server: RedisServer | undefined

  afterEach(() => server?.stop())

  it('answers on a free port, and is gone with its folder after stop', async () => {
    server = await startRedis()
    expect(server.port).not.toBe(6379)
    expect(await server.command('PING')).toBe('PONG')
    const { pid, dir } = server
    await server.stop()
    expect(existsSync(dir)).toBe(false)
    expect(() => process.kill(pid, 0)).toThrow()
  })

  it('asks for its password', async () => {
    server = await startRedis({ password: 'open sesame/1' })
    expect(server.url).toBe(`redis://:open%20sesame%2F1@127.0.0.1:${server.port}`)
    expect(await server.command('PING')).toBe('PONG')
  })

  it('keeps its data through a kill with appendonly, and loses it without', async () => {
    server = await startRedis({ appendonly: true })
    await server.command('SET', 'a', '1')
    const { pid, port } = server
    await server.restart()
    expect(server.pid).not.toBe(pid)
    expect(server.port).toBe(port)
    expect(await server.command('GET', 'a')).toBe('1')
    await server.stop()

    server = await startRedis()
    await server.command('SET', 'a', '1')
    await server.restart()
    expect(await server.command('GET', 'a')).toBeNull()
  })

  it('answers nothing while it is paused', async () => {
    server = await startRedis()
    await server.command('PING')
    server.pause()
    let answered = false
    const pong = server.command('PING').then((reply) => ((answered = true), reply))
    const silence = new Promise((resolve) => setTimeout(resolve, 50))
    await Promise.race([pong, silence])
    expect(answered).toBe(false)
    server.resume()
    expect(await pong).toBe('PONG')
  })

  it('finds the keys that never expire', async () => {
    server = await startRedis()
    await server.command('SET', 'kept', '1')
    await server.command('SET', 'allowed', '1')
    await server.command('SET', 'expires', '1', 'PX', 60_000)
    expect(await server.scanKeysWithoutTtl(['allowed'])).toEqual(['kept'])
  })
})
