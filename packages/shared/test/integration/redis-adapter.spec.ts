import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { givenPort, ownedPort } from '../../src/redis/adapters/ioredis.js'
import type { RedisClientLike, RedisPort } from '../../src/redis/client.js'
import { RedisReplyError, RedisUnavailableError } from '../../src/redis/errors.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** What was seen through `watch`. */
class Log {
  readonly seen: string[] = []
  readonly errors: Error[] = []
  readonly ready = (): void => void this.seen.push('ready')
  readonly lost = (): void => void this.seen.push('lost')
  readonly error = (cause: Error): void => void this.errors.push(cause)
}

interface Driver {
  readonly name: string
  open(server: { port: number }, extra?: object): Promise<{ port: RedisPort; end(): void }>
}

const given = (Client: typeof Redis6 | typeof Redis5, name: string, options: object = {}): Driver => ({
  name,
  async open({ port: tcp }, extra = {}) {
    const client = new (Client as typeof Redis6)({
      host: '127.0.0.1',
      port: tcp,
      lazyConnect: true,
      ...options,
      ...extra,
    })
    const like: RedisClientLike = client
    return { port: givenPort(like), end: () => client.disconnect() }
  },
})

const drivers: Driver[] = [
  {
    name: 'owned, ioredis 6',
    async open({ port: tcp }, extra = {}) {
      const port = await ownedPort({ host: '127.0.0.1', port: tcp, db: 0, ...extra })
      return { port, end: () => undefined }
    },
  },
  given(Redis6, 'given, ioredis 6 with its defaults (RESP3)'),
  given(Redis6, 'given, ioredis 6 with RESP2', { protocol: 2 }),
  given(Redis5 as unknown as typeof Redis6, 'given, ioredis 5'),
]

describe.each(drivers)('the client port: $name', (driver) => {
  let server: RedisServer
  let port: RedisPort
  let end: () => void
  let log: Log

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  beforeEach(async () => {
    log = new Log()
    ;({ port, end } = await driver.open(server))
    port.watch(log)
    port.connect()
    await waitFor('ready', () => port.ready)
  })
  afterEach(async () => {
    await port.close()
    end()
  })

  it('answers a list of commands in order, as text', async () => {
    const replies = await port.pipeline([
      { name: 'SET', args: ['a', 'é\r\n$1'] },
      { name: 'MGET', args: ['a', 'absent', 'a'] },
      { name: 'INCRBY', args: ['n', 2 ** 45] },
      { name: 'GET', args: ['absent'] },
      { name: 'UNLINK', args: ['n', 'a'] },
    ])
    expect(replies).toEqual(['OK', ['é\r\n$1', null, 'é\r\n$1'], 2 ** 45, null, 2])
  })

  it('answers as RESP2 does, whatever the connection speaks', async () => {
    await port.pipeline([{ name: 'ZADD', args: ['z', 2 ** 45 + 1, '#g', 5, '#s', 0.5, 't:é'] }])
    const [range, scores, map, list, time] = await port.pipeline([
      { name: 'ZREVRANGEBYSCORE', args: ['z', '+inf', 1, 'LIMIT', 0, 10, 'WITHSCORES'] },
      { name: 'ZMSCORE', args: ['z', '#g', 'absent', 't:é'] },
      { name: 'HGETALL', args: ['absent'] },
      { name: 'EVAL', args: ["return {1, 'two', {3}, false}", 0] },
      { name: 'TIME', args: [] },
    ])
    expect(range).toEqual(['#g', '35184372088833', '#s', '5'])
    expect(scores).toEqual(['35184372088833', null, '0.5'])
    expect(map).toEqual([])
    expect(list).toEqual([1, 'two', [3], null])
    expect(time).toEqual([expect.stringMatching(/^\d{10}$/), expect.stringMatching(/^\d+$/)])
    await port.pipeline([{ name: 'HSET', args: ['h', 'f', 'v'] }])
    expect(await port.pipeline([{ name: 'HGETALL', args: ['h'] }])).toEqual([['f', 'v']])
  })

  it('takes and gives bytes', async () => {
    const bytes = Buffer.from([0, 255, 128, 13, 10, 0xc3])
    const [, , one, many] = await port.pipeline([
      { name: 'SET', args: ['b', bytes] },
      { name: 'SET', args: ['e', Buffer.alloc(0)] },
      { name: 'GET', args: ['b'], binary: true },
      { name: 'MGET', args: ['b', 'absent', 'e'], binary: true },
    ])
    expect(one).toEqual(bytes)
    expect(many).toEqual([bytes, null, Buffer.alloc(0)])
  })

  it('carries values larger than a socket buffer, mixed with bytes', async () => {
    const text = 'x'.repeat(3 << 20)
    const bytes = Buffer.alloc(2 << 20, 7)
    const replies = await port.pipeline([
      { name: 'SET', args: ['s', 'small'] },
      { name: 'SET', args: ['t', text] },
      { name: 'SET', args: ['b', bytes] },
      { name: 'GET', args: ['s'] },
      { name: 'GET', args: ['t'] },
      { name: 'GET', args: ['b'], binary: true },
      { name: 'DEL', args: ['t', 'b'] },
    ])
    expect(replies[3]).toBe('small')
    expect(replies[4] === text).toBe(true)
    expect(bytes.equals(replies[5] as Buffer)).toBe(true)
  })

  it('puts an error reply in its place and answers the others', async () => {
    await port.pipeline([{ name: 'SET', args: ['s', 'text'] }])
    const replies = await port.pipeline([
      { name: 'PING', args: [] },
      { name: 'ZADD', args: ['s', 1, 'm'] },
      { name: 'EVALSHA', args: ['f'.repeat(40), 0] },
      { name: 'NOSUCH', args: ['a secret value'] },
      { name: 'GET', args: ['s'] },
    ])
    expect(replies[0]).toBe('PONG')
    expect(replies[1]).toBeInstanceOf(RedisReplyError)
    expect(replies[1]).toMatchObject({ code: 'REDIS_REPLY', reply: 'WRONGTYPE' })
    expect(replies[2]).toMatchObject({ reply: 'NOSCRIPT' })
    expect(replies[3]).toMatchObject({ reply: 'ERR' })
    expect(inspect(replies[3], { depth: 9 })).not.toContain('secret')
    expect(replies[4]).toBe('text')
  })

  it('keeps concurrent lists apart', async () => {
    const lists = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        port.pipeline([
          { name: 'ECHO', args: [i] },
          { name: 'ECHO', args: [`${i}!`] },
        ]),
      ),
    )
    expect(lists).toEqual(Array.from({ length: 200 }, (_, i) => [`${i}`, `${i}!`]))
  })

  it('answers an empty list without a round trip', async () => {
    expect(await port.pipeline([])).toEqual([])
  })

  it('rejects what is in flight when the connection is lost, never sends it again, and comes back', async () => {
    await server.command('DEL', 'count')
    server.pause()
    const sent = port.pipeline([
      { name: 'INCR', args: ['count'] },
      { name: 'INCR', args: ['count'] },
    ])
    sent.catch(() => undefined)
    await server.kill()
    await expect(sent).rejects.toBeInstanceOf(RedisUnavailableError)
    await expect(sent).rejects.toMatchObject({ reason: 'lost' })
    await waitFor('the loss is noticed', () => log.seen.includes('lost'))
    expect(port.ready).toBe(false)
    await expect(port.pipeline([{ name: 'PING', args: [] }])).rejects.toMatchObject({ reason: 'not-connected' })

    await server.restart()
    await waitFor('ready again', () => port.ready)
    expect(log.seen).toEqual(['ready', 'lost', 'ready'])
    expect(await port.pipeline([{ name: 'GET', args: ['count'] }])).toEqual([null])
  })

  it('tells a late watcher at once that it is ready, and a former one nothing', async () => {
    const late = new Log()
    const stop = port.watch(late)
    expect(late.seen).toEqual(['ready'])
    stop()
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await waitFor('lost', () => log.seen.includes('lost'))
    expect(late.seen).toEqual(['ready'])
    await waitFor('ready', () => port.ready)
  })

  it('opens a RESP2 connection of its own on which tracking pushes arrive as lists of keys', async () => {
    const connection = await port.dedicated({ name: 'vextrus-test', connectTimeoutMs: 2_000 })
    const pushes: unknown[] = []
    connection.onMessage((channel, payload, pattern) => {
      pushes.push([channel, Array.isArray(payload) ? payload.map(String) : payload, pattern])
    })
    expect(await connection.call('CLIENT', ['GETNAME'])).toBe('vextrus-test')
    const id = await connection.call('CLIENT', ['ID'])
    expect(id).toBeTypeOf('number')
    const tracking = ['TRACKING', 'ON', 'BCAST', 'PREFIX', 'p:', 'REDIRECT', id as number]
    expect(await connection.call('CLIENT', tracking)).toBe('OK')
    expect(await connection.call('SUBSCRIBE', ['__redis__:invalidate'])).toBe(1)
    expect(await connection.call('PING', [])).toEqual(['pong', ''])

    await server.command('MSET', 'p:é', '1', 'p:2', '1', 'q:3', '1')
    await connection.call('PING', [])
    expect(pushes.length).toBeGreaterThan(0)
    expect(pushes.flatMap((push) => (push as [string, string[]])[1]).sort()).toEqual(['p:2', 'p:é'])
    pushes.length = 0
    await server.command('FLUSHALL')
    await connection.call('PING', [])
    expect(pushes).toEqual([['__redis__:invalidate', null, null]])
    connection.close()
  })

  it('delivers messages and patterns on a dedicated connection', async () => {
    const connection = await port.dedicated({ name: 'vextrus-test', connectTimeoutMs: 2_000 })
    const messages: unknown[] = []
    connection.onMessage((channel, payload, pattern) => messages.push([channel, String(payload), pattern]))
    await connection.call('SUBSCRIBE', ['news'])
    await connection.call('PSUBSCRIBE', ['n*'])
    await connection.call('SSUBSCRIBE', ['shard'])
    await server.command('PUBLISH', 'news', 'hello')
    await server.command('SPUBLISH', 'shard', 'there')
    await connection.call('PING', [])
    expect(messages).toEqual([
      ['news', 'hello', null],
      ['news', 'hello', 'n*'],
      ['shard', 'there', null],
    ])
    connection.close()
  })

  it('ends a dedicated connection once, and never revives it', async () => {
    const connection = await port.dedicated({ name: 'vextrus-test', connectTimeoutMs: 2_000 })
    const causes: (Error | null)[] = []
    connection.onClose((cause) => causes.push(cause))
    const id = await connection.call('CLIENT', ['ID'])
    await expect(connection.call('NOSUCH', ['x'])).rejects.toBeInstanceOf(RedisReplyError)
    await server.command('CLIENT', 'KILL', 'ID', id as number)
    await waitFor('closed', () => causes.length > 0)
    await expect(connection.call('PING', [])).rejects.toBeInstanceOf(RedisUnavailableError)
    connection.close()
    const late = await new Promise<Error | null>((resolve) => connection.onClose(resolve))
    expect(late).toBeNull()
    expect(causes).toHaveLength(1)
    expect(causes[0]).toBeInstanceOf(Error)
  })

  it('tells a dedicated connection that we closed it ourselves', async () => {
    const connection = await port.dedicated({ name: 'vextrus-test', connectTimeoutMs: 2_000 })
    const cause = new Promise<Error | null>((resolve) => connection.onClose(resolve))
    connection.close()
    expect(await cause).toBeNull()
  })

  it('gives up a dedicated connection that is not answered', async () => {
    server.pause()
    const opening = port.dedicated({ name: 'vextrus-test', connectTimeoutMs: 100 })
    await expect(opening).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'not-connected' })
    server.resume()
    expect(await port.pipeline([{ name: 'PING', args: [] }])).toEqual(['PONG'])
  })

  it('uses the database of the client, and is not ready when the server has no such one', async () => {
    const other = await driver.open(server, { db: 3 })
    other.port.connect()
    await waitFor('ready', () => other.port.ready)
    await other.port.pipeline([{ name: 'SET', args: ['in3', '1'] }])
    expect(await port.pipeline([{ name: 'EXISTS', args: ['in3'] }])).toEqual([0])
    await other.port.close()
    other.end()

    const wrong = await driver.open(server, { db: 99 })
    const wrongLog = new Log()
    wrong.port.watch(wrongLog)
    wrong.port.connect()
    await waitFor('refused', () => wrongLog.errors.length > 1)
    expect(wrong.port.ready).toBe(false)
    await expect(wrong.port.pipeline([{ name: 'PING', args: [] }])).rejects.toThrow('`db`')
    expect(wrongLog.seen).toEqual([])
    await wrong.port.close()
    wrong.end()
  })

  it('reports a wrong password without showing it, and goes on trying', async () => {
    const locked = await startRedis({ password: 'right-password' })
    const wrong = await driver.open(locked, { password: 'wrong-password' })
    const wrongLog = new Log()
    wrong.port.watch(wrongLog)
    wrong.port.connect()
    const refusals = (): number => wrongLog.errors.filter(({ message }) => message.includes('WRONGPASS')).length
    await waitFor('two attempts', () => refusals() > 1)
    const answer = wrong.port.pipeline([{ name: 'PING', args: [] }])
    await expect(answer).rejects.toThrow('`password`')
    const shown = inspect([wrongLog.errors, await answer.catch((error: unknown) => error)], {
      depth: 9,
      showHidden: true,
    })
    expect(shown).toContain('WRONGPASS')
    expect(shown).not.toContain('wrong-password')
    await server.command('PING')
    await wrong.port.close()
    wrong.end()
    await locked.stop()
  })
})

describe('an owned client port', () => {
  it('closes at any moment', async () => {
    const server = await startRedis()
    const never = await ownedPort({ host: '127.0.0.1', port: server.port, db: 0 })
    await never.close()

    const early = await ownedPort({ host: '127.0.0.1', port: server.port, db: 0 })
    early.connect()
    await early.close()

    const late = await ownedPort({ host: '127.0.0.1', port: server.port, db: 0 })
    late.connect()
    await waitFor('ready', () => late.ready)
    server.pause()
    await late.close()
    await late.close()
    expect(late.client.status).toBe('end')
    server.resume()

    const log = new Log()
    const between = await ownedPort({ host: '127.0.0.1', port: server.port, db: 0 })
    between.watch(log)
    between.connect()
    await waitFor('ready', () => between.ready)
    await server.stop()
    await waitFor('an attempt failed', () => log.errors.length > 1)
    await between.close()
    const attempts = log.errors.length
    expect(between.ready).toBe(false)
    expect(log.errors.length).toBe(attempts)
  })

  it('gives up a server that accepts and says nothing, and tries again', async () => {
    const server = await startRedis()
    const log = new Log()
    const port = await ownedPort({
      host: '127.0.0.1',
      port: server.port,
      db: 0,
      clientOptions: { connectTimeout: 100 },
    })
    port.watch(log)
    server.pause()
    port.connect()
    await waitFor('given up', () => log.errors.length > 0)
    expect(log.errors[0]!.message).toContain('not answered within 100 ms')
    server.resume()
    await waitFor('ready', () => port.ready)
    expect(await port.pipeline([{ name: 'PING', args: [] }])).toEqual(['PONG'])
    await port.close()
    await server.stop()
  })

  it('makes a new connection when it is told that the old one is dead', async () => {
    const server = await startRedis()
    const log = new Log()
    const port = await ownedPort({ host: '127.0.0.1', port: server.port, db: 0 })
    port.watch(log)
    port.connect()
    await waitFor('ready', () => port.ready)
    port.reset()
    await waitFor('ready again', () => log.seen.length === 3)
    expect(log.seen).toEqual(['ready', 'lost', 'ready'])
    expect(await port.pipeline([{ name: 'PING', args: [] }])).toEqual(['PONG'])
    await port.close()
    await server.stop()
  })
})

describe('a given client', () => {
  it.each([
    ['a keyPrefix of its own', { keyPrefix: 'app:' }, 'keyPrefix'],
    ['RESP3 shapes', { replyMapping: 'resp3' }, 'replyMapping'],
    ['numbers as strings', { stringNumbers: true }, 'stringNumbers'],
    ['monitor mode', { monitor: true }, 'monitor'],
  ])('is refused with %s', (_, options, named) => {
    const client = new Redis6({ lazyConnect: true, ...(options as object) })
    expect(() => givenPort(client)).toThrow(expect.objectContaining({ code: 'CONFIGURATION', option: 'client' }))
    expect(() => givenPort(client)).toThrow(named)
    client.disconnect()
  })

  it('is refused when it is no ioredis', () => {
    expect(() => givenPort({} as RedisClientLike)).toThrow('client: is not a Redis of ioredis')
    expect(() => givenPort(null as unknown as RedisClientLike)).toThrow('client: must be')
  })

  it('stays open and usable when the port is closed', async () => {
    const server = await startRedis()
    const client = new Redis6({ host: '127.0.0.1', port: server.port })
    const port = givenPort(client)
    await waitFor('ready', () => port.ready)
    await port.close()
    expect(port.ready).toBe(false)
    expect(await client.ping()).toBe('PONG')
    client.disconnect()
    await server.stop()
  })

  it('may be ready already, and be shared with other users of it', async () => {
    const server = await startRedis()
    const client = new Redis5({ host: '127.0.0.1', port: server.port, db: 2, enableAutoPipelining: true })
    await client.ping()
    const port = givenPort(client)
    await waitFor('ready', () => port.ready)
    const [ours, theirs, chained] = await Promise.all([
      port.pipeline([
        { name: 'SET', args: ['a', '1'] },
        { name: 'GET', args: ['a'] },
      ]),
      client.get('a'),
      client.pipeline().get('a').get('b').exec(),
    ])
    expect(ours).toEqual(['OK', '1'])
    expect(theirs).toBe('1')
    expect(chained).toEqual([
      [null, '1'],
      [null, null],
    ])
    await port.close()
    client.disconnect()
    await server.stop()
  })

  it('may be watched by an instrumentation that wraps each command', async () => {
    const server = await startRedis()
    const client = new Redis6({ host: '127.0.0.1', port: server.port })
    const spans: string[] = []
    // The way of OpenTelemetry's instrumentation of ioredis: the callbacks are taken off the command and called without it.
    const send = client.sendCommand.bind(client) as (command: any, stream: any) => unknown
    client.sendCommand = ((command: any, stream: any) => {
      const sent = send(command, stream)
      const { resolve, reject } = command
      command.resolve = (reply: unknown) => {
        spans.push(`${command.name} ${command.args}`)
        resolve(reply)
      }
      command.reject = (error: Error) => {
        spans.push(`${command.name} failed`)
        reject(error)
      }
      return sent
    }) as typeof client.sendCommand
    const port = givenPort(client)
    await waitFor('ready', () => port.ready)
    spans.length = 0
    const replies = await port.pipeline([
      { name: 'ECHO', args: ['hello'] },
      { name: 'NOSUCH', args: [] },
    ])
    expect(replies).toEqual(['hello', expect.any(RedisReplyError)])
    expect(spans).toEqual(['ECHO hello', 'NOSUCH failed'])
    await port.close()
    client.disconnect()
    await server.stop()
  })

  it('that resends on certain errors does not resend our commands', async () => {
    const server = await startRedis()
    const client = new Redis6({
      host: '127.0.0.1',
      port: server.port,
      reconnectOnError: (error) => (error.message.includes('WRONGTYPE') ? 2 : false),
    })
    const port = givenPort(client)
    await waitFor('ready', () => port.ready)
    await port.pipeline([{ name: 'SET', args: ['s', 'text'] }])
    const answer = port.pipeline([
      { name: 'INCR', args: ['n'] },
      { name: 'ZADD', args: ['s', 1, 'm'] },
    ])
    await expect(answer).rejects.toMatchObject({ reason: 'lost' })
    await waitFor('ready', () => port.ready)
    expect(await port.pipeline([{ name: 'GET', args: ['n'] }])).toEqual(['1'])
    await port.close()
    client.disconnect()
    await server.stop()
  })
})
