import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { RedisConnection, type RedisConnectionOptions } from '../../src/redis/index.js'
import { RedisReplyError, RedisUnavailableError } from '../../src/redis/errors.js'
import { redisConnected, redisLost } from '../../src/redis/events.js'
import { command, defineScript, scriptCommand } from '../../src/redis/script.js'
import { SCRIPTS } from '../../src/redis/scripts.gen.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function server(...options: Parameters<typeof startRedis>): Promise<RedisServer> {
  const started = await startRedis(...options)
  open.push(() => started.stop())
  return started
}

/** A connection with a deadline that a busy machine keeps, and what it logged. */
function connect(options: RedisConnectionOptions): { connection: RedisConnection; logged: string[] } {
  const logged: string[] = []
  const note =
    (level: string) =>
    (message: string): void =>
      void logged.push(`${level}: ${message}`)
  const logger = { warn: note('warn'), log: note('log'), debug: note('debug') }
  const connection = new RedisConnection({ commandTimeout: 1_000, ...options }, { logger })
  open.push(() => connection.close())
  return { connection, logged }
}

const PING = command('PING', [])

function refusal(attempt: Promise<unknown>): Promise<RedisUnavailableError> {
  return attempt.then(
    () => Promise.reject(new Error('It was answered')),
    (error: RedisUnavailableError) => error,
  )
}

describe('a connection', () => {
  it('answers commands once it knows its server, and says which session they were read on', async () => {
    const redis = await server()
    const { connection, logged } = connect({ url: redis.url })
    expect(connection.status).toBe('idle')
    expect(connection.shards()[0]!.session).toBeUndefined()
    expect(connection.shards()[0]!.serverNow()).toBeUndefined()
    await connection.ready()
    expect(connection.status).toBe('ready')
    expect(connection.id).toBe(`127.0.0.1:${redis.port}`)

    const shard = connection.shardOf('any')!
    expect(connection.shards()).toEqual([shard])
    const { replies, session } = await shard.exec([PING, command('ECHO', ['hello'])])
    expect(replies).toEqual(['PONG', 'hello'])
    const info = String(await redis.command('INFO'))
    expect(session).toBe(shard.session)
    expect(info).toContain(`run_id:${session.runId}`)
    expect(info).toContain(`master_replid:${session.epoch}`)
    expect(session.epoch).toHaveLength(8)
    expect(logged).toEqual([expect.stringMatching(/^debug: Connected to (Redis|Valkey) \d+\.\d+\.\d+ at 127/)])
  })

  it('estimates the server clock from below', async () => {
    const redis = await server()
    const { connection } = connect({ url: redis.url })
    await connection.ready()
    const estimate = connection.shards()[0]!.serverNow()!
    const [seconds, micros] = (await redis.command('TIME')) as [string, string]
    const now = Number(seconds) * 1_000 + Number(micros) / 1_000
    expect(estimate).toBeLessThanOrEqual(now)
    expect(estimate).toBeGreaterThan(now - 5_000)
  })

  it('leaves an error reply in its place', async () => {
    const redis = await server()
    const { connection } = connect({ url: redis.url })
    await connection.ready()
    const { replies } = await connection
      .shardOf('s')!
      .exec([command('SET', ['s', 'text', 'PX', 5_000]), command('ZADD', ['s', 1, 'm']), command('GET', ['s'])])
    expect(replies[0]).toBe('OK')
    expect(replies[1]).toBeInstanceOf(RedisReplyError)
    expect(replies[1]).toMatchObject({ reply: 'WRONGTYPE', code: 'REDIS_REPLY' })
    expect(replies[2]).toBe('text')
  })

  it('sends scripts by hash, and in full only those that the server does not know', async () => {
    const redis = await server()
    const { connection } = connect({ url: redis.url })
    await connection.ready()
    for (const { sha } of Object.values(SCRIPTS)) expect(await redis.command('SCRIPT', 'EXISTS', sha)).toEqual([1])

    const count = defineScript('count', `redis.call('INCR', KEYS[1]) return {KEYS[1], ARGV[1], 'é'}`)
    const run = (): Promise<unknown> =>
      connection
        .shardOf('n')!
        .exec([
          command('INCR', ['n']),
          scriptCommand(count, ['n'], ['x']),
          scriptCommand(count, ['n'], [2], { binary: true }),
          command('GET', ['n']),
        ])
        .then(({ replies }) => replies)
    const bytes = [Buffer.from('n'), Buffer.from('2'), Buffer.from('é')]
    // Sent again after the others were answered: the last command did not see them.
    expect(await run()).toEqual([1, ['n', 'x', 'é'], bytes, '1'])
    expect(await run()).toEqual([4, ['n', 'x', 'é'], bytes, '6'])
    await redis.command('SCRIPT', 'FLUSH')
    expect(await run()).toEqual([7, ['n', 'x', 'é'], bytes, '7'])
    expect(await redis.command('GET', 'n')).toBe('9')
  })

  it('starts without Redis, warns once, and is ready when Redis comes', async () => {
    const port = await freePort()
    const { connection, logged } = connect({ host: '127.0.0.1', port })
    const error = await refusal(connection.ready())
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'not-connected' })
    expect(error.message).toContain(`127.0.0.1:${port}`)
    expect(error.message).toContain('`host`')
    expect(error.message).toContain('ECONNREFUSED')
    expect(connection.status).toBe('unavailable')
    const refused = await refusal(connection.shards()[0]!.exec([PING]))
    expect(refused.message).toContain('ECONNREFUSED')
    // Several attempts, one warning.
    for (let attempt = 0; attempt < 3; attempt++) await refusal(connection.ready())
    expect(logged).toEqual([expect.stringMatching(/^warn: /)])

    await server({ port })
    await waitFor('ready', () => connection.status === 'ready')
    expect((await connection.shards()[0]!.exec([PING])).replies).toEqual(['PONG'])
    expect(logged).toEqual([expect.stringMatching(/^warn: /), expect.stringMatching(/^log: .* is back after \d+ ms/)])
  })

  it('rejects what was under way when Redis is killed, and comes back with another session', async () => {
    const redis = await server()
    const { connection, logged } = connect({ url: redis.url })
    const sessions: (string | undefined)[] = []
    connection.onSession((session) => sessions.push(session?.runId))
    const heard: string[] = []
    open.push(redisConnected.subscribe(({ awayMs }) => heard.push(awayMs === undefined ? 'connected' : 'back')))
    open.push(redisLost.subscribe(() => heard.push('lost')))
    await connection.ready()
    const shard = connection.shards()[0]!
    const before = shard.session!

    redis.pause()
    const underWay = refusal(shard.exec([command('INCR', ['n'])]))
    await redis.kill()
    expect(await underWay).toMatchObject({ reason: 'lost' })
    await waitFor('the loss', () => connection.status === 'unavailable')
    expect(shard.session).toBeUndefined()
    expect(shard.serverNow()).toBeUndefined()
    expect(await refusal(shard.exec([PING]))).toMatchObject({ reason: 'not-connected' })

    await redis.restart()
    await waitFor('ready', () => connection.status === 'ready')
    const after = shard.session!
    expect(after.epoch).not.toBe(before.epoch)
    expect(after.runId).not.toBe(before.runId)
    expect(sessions).toEqual([before.runId, undefined, after.runId])
    expect(heard).toEqual(['connected', 'lost', 'back'])
    expect(logged.map((line) => line.split(':')[0])).toEqual(['debug', 'warn', 'log'])
    expect((await shard.exec([command('GET', ['n'])])).replies).toEqual([null])
  })

  it('gives up on a stopped Redis at the deadline, then at once, and is ready when it goes on', async () => {
    const redis = await server()
    const { connection, logged } = connect({ url: redis.url, commandTimeout: 500 })
    await connection.ready()
    const shard = connection.shards()[0]!
    const before = shard.session

    redis.pause()
    const started = performance.now()
    const late = await refusal(shard.exec([PING]))
    const tookMs = performance.now() - started
    expect(late).toMatchObject({ reason: 'deadline' })
    expect(late.message).toContain('`commandTimeout`')
    expect(tookMs).toBeGreaterThanOrEqual(499)
    // Sooner than the connection would be given up.
    expect(tookMs).toBeLessThan(5_000)

    await Promise.all([refusal(shard.exec([PING])), refusal(shard.exec([PING]))])
    // Before anything else has its turn.
    const turn = new Promise((resolve) => setImmediate(resolve))
    expect(await Promise.race([refusal(shard.exec([PING])), turn])).toMatchObject({ reason: 'circuit-open' })
    expect(connection.status).toBe('unavailable')
    await waitFor('the warning', () => logged.some((line) => line.startsWith('warn: ')))

    redis.resume()
    await waitFor('ready', () => connection.status === 'ready')
    expect((await shard.exec([PING])).replies).toEqual(['PONG'])
    expect(shard.session).toBe(before)
    expect(logged.map((line) => line.split(':')[0])).toEqual(['debug', 'warn', 'log'])
  })

  it('does not take its own blocked event loop for a slow server', async () => {
    const redis = await server()
    const { connection } = connect({ url: redis.url, commandTimeout: 500 })
    await connection.ready()
    const answers = Promise.all([1, 2, 3].map(() => connection.shards()[0]!.exec([PING])))
    const until = performance.now() + 1_500
    while (performance.now() < until);
    expect((await answers).map(({ replies }) => replies[0])).toEqual(['PONG', 'PONG', 'PONG'])
    expect(connection.status).toBe('ready')
  })

  it('makes a new connection when the old one has been silent for seconds', async () => {
    const redis = await server()
    const { connection } = connect({ url: redis.url })
    await connection.ready()
    redis.pause()
    await waitFor('the connection is given up', () => connection.shards()[0]!.session === undefined, 30_000)
    redis.resume()
    await waitFor('ready', () => connection.status === 'ready')
    expect((await connection.shards()[0]!.exec([PING])).replies).toEqual(['PONG'])
  })

  it('names `password` when it is wrong or missing, and shows it nowhere', async () => {
    const redis = await server({ password: 'the-right-one' })
    for (const password of ['the-wrong-one', undefined]) {
      const { connection, logged } = connect({ host: '127.0.0.1', port: redis.port, password })
      const error = await refusal(connection.ready())
      expect(error.message).toContain('`password`')
      expect(error.cause).toMatchObject({ reply: password === undefined ? 'NOAUTH' : 'WRONGPASS' })
      const shown = inspect([error, logged, connection], { depth: 12, showHidden: true })
      expect(shown).toContain(`RedisConnection { 127.0.0.1:${redis.port}, unavailable }`)
      expect(shown).not.toContain('the-wrong-one')
      expect(logged).toEqual([expect.stringContaining('`password`')])
    }
    const { connection } = connect({ url: redis.url })
    await connection.ready()
    expect(connection.status).toBe('ready')
  })

  it('names `db` when the server has no such database', async () => {
    const redis = await server()
    const { connection } = connect({ host: '127.0.0.1', port: redis.port, db: 99 })
    expect((await refusal(connection.ready())).message).toContain('`db`')
    const third = connect({ url: `${redis.url}/3` }).connection
    await third.ready()
    await third.shardOf('k')!.exec([command('SET', ['k', 'v', 'PX', 5_000])])
    expect(await redis.command('EXISTS', 'k')).toBe(0)
  })

  it('names `username` when the ACL user may not', async () => {
    const redis = await server()
    await redis.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+ping', '+info', '+time', '+select')
    const { connection } = connect({ host: '127.0.0.1', port: redis.port, username: 'app', password: 'secret' })
    await connection.ready()
    const { replies } = await connection.shardOf('a')!.exec([command('GET', ['a'])])
    expect(replies[0]).toMatchObject({ reply: 'NOPERM' })

    await redis.command('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '+ping')
    const blind = connect({ host: '127.0.0.1', port: redis.port, username: 'blind', password: 'secret' }).connection
    expect((await refusal(blind.ready())).message).toContain('`username`')
  })

  it('names `tls` when the server speaks none', async () => {
    const redis = await server()
    const { connection } = connect({
      url: redis.url.replace('redis:', 'rediss:'),
      clientOptions: { connectTimeout: 300 },
    })
    expect((await refusal(connection.ready())).message).toContain('`tls`')
  })

  it('refuses a replica, leaves a master that becomes one, and takes it back', async () => {
    const redis = await server()
    const other = await server()
    const { connection, logged } = connect({ url: redis.url })
    await connection.ready()
    const shard = connection.shards()[0]!
    const before = shard.session!
    await redis.command('REPLICAOF', '127.0.0.1', other.port)
    await waitFor('it is left', () => shard.session === undefined)
    const error = await refusal(shard.exec([PING]))
    expect(error.cause).toMatchObject({ code: 'REDIS_ROLE' })
    expect(logged.filter((line) => line.startsWith('warn'))).toEqual([expect.stringContaining('role slave')])

    await redis.command('REPLICAOF', 'NO', 'ONE')
    await waitFor('it is back', () => shard.session !== undefined)
    expect(shard.session!.epoch).not.toBe(before.epoch)
    expect(shard.session!.runId).toBe(before.runId)
  })

  it('has another epoch within a heartbeat when the replication id changes under it', async () => {
    const redis = await server({ args: ['--enable-debug-command', 'yes'] })
    const { connection } = connect({ url: redis.url })
    await connection.ready()
    const shard = connection.shards()[0]!
    const before = shard.session!
    await redis.command('DEBUG', 'CHANGE-REPL-ID')
    await waitFor('another epoch', () => shard.session !== before)
    expect(shard.session!.epoch).not.toBe(before.epoch)
    expect((await shard.exec([PING])).session).toBe(shard.session)
  })

  it.each([
    ['ioredis 6', Redis6],
    ['ioredis 5', Redis5 as unknown as typeof Redis6],
  ])('works on a given client of %s, and leaves it open', async (_, Client) => {
    const redis = await server()
    const client = new Client({ host: '127.0.0.1', port: redis.port })
    open.push(() => client.disconnect())
    const { connection } = connect({ client })
    await connection.ready()
    expect(connection.client).toBe(client)
    expect(connection.id).toBe(`127.0.0.1:${redis.port}`)
    expect((await connection.shards()[0]!.exec([PING])).replies).toEqual(['PONG'])

    client.disconnect()
    await waitFor('the loss', () => connection.status === 'unavailable')
    await client.connect()
    await waitFor('ready', () => connection.status === 'ready')
    await connection.close()
    expect(await client.ping()).toBe('PONG')
  })

  it('is closed for good, whatever is under way', async () => {
    const redis = await server()
    const { connection, logged } = connect({ url: redis.url })
    await connection.ready()
    redis.pause()
    const underWay = refusal(connection.shards()[0]!.exec([PING]))
    await connection.close()
    expect(await underWay).toMatchObject({ reason: 'lost' })
    expect(connection.status).toBe('closed')
    expect(await refusal(connection.ready())).toMatchObject({ reason: 'not-connected' })
    expect(await refusal(connection.shards()[0]!.exec([PING]))).toMatchObject({ reason: 'not-connected' })
    expect(logged.map((line) => line.split(':')[0])).toEqual(['debug'])

    const never = connect({ url: redis.url }).connection
    await never.close()
    expect(never.status).toBe('closed')
    const early = connect({ url: redis.url }).connection
    const waiting = refusal(early.ready())
    await early.close()
    expect(await waiting).toMatchObject({ reason: 'not-connected' })
  })
})
