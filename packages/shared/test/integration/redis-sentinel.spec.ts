import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/index.js'
import { command } from '../../src/redis/script.js'
import { Subscriber } from '../../src/redis/subscriber.js'
import {
  answered,
  connection as connectionOf,
  refusal,
  reply,
  sent,
  type TestConnection,
} from '../support/redis-client.js'
import { type RedisSentinels, startSentinel } from '../support/redis-sentinel.js'
import { waitFor } from '../support/wait-for.js'
import { onWake } from '../support/manual-pushes.js'

const PASSWORD = 'master-word'
const SENTINEL_PASSWORD = 'sentinel-word'

let redis: RedisSentinels
const open: (() => unknown)[] = []

beforeAll(async () => {
  redis = await startSentinel({ replicas: 2, password: PASSWORD, sentinelPassword: SENTINEL_PASSWORD })
})
afterAll(() => redis.stop())
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** One that is away comes first: the next one is asked. */
function options(): RedisConnectionOptions {
  const { name } = redis
  const nodes = ['127.0.0.1:1', ...redis.nodes]
  return { sentinels: { nodes, name, password: SENTINEL_PASSWORD }, password: PASSWORD }
}

function connect(given: RedisConnectionOptions = options()): TestConnection {
  const made = connectionOf(given)
  open.push(() => made.connection.close())
  return made
}

async function connected(given?: RedisConnectionOptions): Promise<TestConnection> {
  const made = connect(given)
  await made.connection.ready()
  return made
}

/** Every server is back, and the Sentinels see it. */
async function calm(): Promise<void> {
  await waitFor(
    'two replicas in sync',
    async () => {
      const master = await redis.master()
      return (String(await master.command('INFO', 'replication')).match(/state=online/g) ?? []).length === 2
    },
    15_000,
  )
}

const get = (key: string) => command('GET', [key])
const set = (key: string, value: string) => command('SET', [key, value, 'PX', 60_000])

describe('by Sentinels', () => {
  it('the master is found, and is one shard', async () => {
    const { connection, logged } = await connected()
    expect(connection.id).toBe('mymaster (Sentinel)')
    expect(connection.sharded).toBe(false)
    expect(await reply(connection, 'a', set('a', '1'))).toBe('OK')
    expect(await (await redis.master()).command('GET', 'a')).toBe('1')
    expect(await connection.layout()).toEqual(await connection.layout())
    expect(logged).toEqual([expect.stringMatching(/^debug: Connected to/)])
  })

  it('units are answered each, in order, on one session', async () => {
    const { connection } = await connected()
    const outcomes = await connection.exec([
      { key: 'u1', commands: [set('u1', 'x'), get('u1')] },
      { key: 'u2', commands: (shard) => [command('ECHO', [shard.id])] },
    ])
    expect(outcomes).toEqual([
      expect.objectContaining({ replies: ['OK', 'x'], redirected: false }),
      expect.objectContaining({ replies: ['mymaster (Sentinel)'], redirected: false }),
    ])
  })

  it.each([
    ['the password of the Sentinels', { password: 'no-word' }, {}, '`sentinels`'],
    ['the name of the master', { name: 'another' }, {}, '`sentinels`'],
    ['the password of the master', {}, { password: 'no-word' }, '`password`'],
  ])('the message names what mends %s', async (_, sentinels, rest, mend) => {
    const given = options()
    const { connection, logged } = connect({ ...given, sentinels: { ...given.sentinels!, ...sentinels }, ...rest })
    const error = await refusal(connection.ready())
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'not-connected' })
    expect(error.message).toContain(mend)
    expect(`${error.message} ${logged.join()}`).not.toContain('no-word')
    await connection.close()
  })

  it.each([
    ['6', Redis6],
    ['5', Redis5 as unknown as typeof Redis6],
  ])('a given client of ioredis %s is followed with its dedicated connections', async (_, Redis) => {
    const { sentinels, password } = options()
    const client = new Redis({
      sentinels: redis.nodes as { host: string; port: number }[],
      name: sentinels!.name,
      sentinelPassword: SENTINEL_PASSWORD,
      password: password!,
    })
    open.push(() => client.disconnect())
    const { connection } = await connected({ client })
    const pushes = await pushesOn(connection)
    const heard: (string | null)[] = []
    onWake(pushes, (key) => heard.push(key))
    await reply(connection, 'vextrus:k', set('vextrus:k', '1'))
    await waitFor('the push', () => heard.includes('k'))
    expect(connection.client).toBe(client)
  })

  it('a client of replicas is refused', () => {
    const client = new Redis6({
      sentinels: redis.nodes as { host: string; port: number }[],
      name: redis.name,
      role: 'slave',
      lazyConnect: true,
    })
    expect(() => connect({ client })).toThrow(expect.objectContaining({ option: 'client' }))
    client.disconnect()
  })

  async function pushesOn(connection: TestConnection['connection']): Promise<RedisPushes> {
    const pushes = new RedisPushes(connection, new Keyspace('vextrus:'), (message) => {
      throw new Error(message)
    })
    open.push(() => pushes.close())
    pushes.start()
    await waitFor('the pushes flow', () => pushes.live)
    return pushes
  }

  it('a master that is killed is replaced in seconds', async () => {
    const { connection, logged } = await connected()
    const before = await answered(connection, 'a', set('a', '3'))
    const master = await redis.master()
    await master.kill()
    open.push(() => master.restart().then(calm))
    expect(await sent(connection, 'a', get('a'))).toBeInstanceOf(Error)
    await waitFor(
      'the next master',
      async () => {
        const outcome = await sent(connection, 'a', get('a'))
        return !(outcome instanceof Error) && outcome.session.epoch !== before.session.epoch
      },
      30_000,
    )
    // The Sentinel ends the connections of a replica that it promotes: that may be a second outage.
    const warnings = logged.filter((line) => line.startsWith('warn'))
    expect(warnings.length).toBeLessThanOrEqual(2)
    expect(warnings.filter((line) => line.includes('no Sentinel names'))).toEqual([])
  })

  it('a master that is stopped is left, and refused when it goes on as a replica', async () => {
    const { connection } = await connected()
    const before = await answered(connection, 'a', get('a'))
    const master = await redis.master()
    master.pause()
    open.push(() => {
      master.resume()
      return calm()
    })
    await waitFor(
      'the next master',
      async () => {
        const outcome = await sent(connection, 'a', get('a'))
        return !(outcome instanceof Error) && outcome.session.epoch !== before.session.epoch
      },
      30_000,
    )
    master.resume()
    await calm()
    expect(await reply(connection, 'a', command('ROLE', []))).toMatchObject({ 0: 'master' })
  })

  it('a failover is survived by data, pushes and subscriptions, under another epoch (R16)', async () => {
    const { connection, logged } = await connected()
    const pushes = await pushesOn(connection)
    const heard: (string | null)[] = []
    onWake(pushes, (key) => heard.push(key))
    const subscriber = new Subscriber({
      port: connection.door,
      clock: systemClock,
      random: systemRandom,
      name: 'vextrus-test-subscriber',
      connectTimeoutMs: 2_000,
      timeoutMs: 2_000,
      heartbeat: { everyMs: 100, timeoutMs: 1_500 },
      onError: (error) => {
        throw error
      },
    })
    open.push(() => subscriber.close())
    const messages: string[] = []
    await subscriber.subscribe({ channel: 'news' }, { message: (text) => void messages.push(text.toString()) })
    const before = await answered(connection, 'a', get('a'))

    const master = await redis.failover()
    await waitFor('the new epoch', () => ![undefined, before.session].includes(connection.shards()[0]!.session), 30_000)
    const after = await answered(connection, 'a', set('a', '2'))
    expect(after.session.epoch).not.toBe(before.session.epoch)
    expect(await master.command('GET', 'a')).toBe('2')
    await waitFor('the pushes flow again', () => pushes.live)
    heard.length = 0
    await master.command('SET', 'vextrus:k', '1')
    await waitFor('the push', () => heard.includes('k'))
    await waitFor('the subscriber has moved', async () => {
      await master.command('PUBLISH', 'news', 'after')
      return messages.includes('after')
    })
    await waitFor('the Sentinels are done', async () => {
      const flags = String(await redis.sentinels[0]!.command('SENTINEL', 'MASTER', redis.name))
      return !flags.includes('failover_in_progress')
    })
    expect(logged.filter((line) => line.startsWith('warn')).length).toBeLessThanOrEqual(2)
    await calm()
  })

  it('a master that was replaced is left as soon as a Sentinel says so, and not when it is told itself', async () => {
    // The others are found by the one that is given.
    const given = options()
    const { connection } = await connected({ ...given, sentinels: { ...given.sentinels!, nodes: [redis.nodes[0]!] } })
    const before = await answered(connection, 'a', get('a'))
    const old = await redis.master()
    const refused = (error: unknown): boolean => !/NOGOODSLAVE|INPROG/.test(String(error))
    // A Sentinel tells a replaced master after four times what lies between two of its own messages: here after a minute.
    await redis.speak(15_000)
    open.push(() => redis.speak())
    await waitFor('a failover', () => redis.failover().then(() => true, refused), 30_000)
    await waitFor('the next master', () => ![undefined, before.session].includes(connection.shards()[0]!.session))
    expect(await old.command('ROLE')).toMatchObject({ 0: 'master' })
    expect((await answered(connection, 'a', get('a'))).session.runId).not.toBe(before.session.runId)
    await redis.speak()
    await waitFor(
      'the old master has been told',
      async () => String(await old.command('ROLE').catch(String)).startsWith('slave'),
      15_000,
    )
    await calm()
  })

  it('closes at once, also while no Sentinel answers', async () => {
    const { connection } = connect({ sentinels: { nodes: ['127.0.0.1:1', '127.0.0.1:2'], name: 'mymaster' } })
    await refusal(connection.ready())
    const started = performance.now()
    await connection.close()
    expect(performance.now() - started).toBeLessThan(1_500)
  })
})
