import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { type IoredisPort, ownedPort } from '../../src/redis/adapters/ioredis.js'
import { Subscriber } from '../../src/redis/subscriber.js'
import type { SubscriptionHandler } from '../../src/redis/subscription.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

let server: RedisServer
let proxy: TcpProxy
let port: IoredisPort
let subscriber: Subscriber
let errors: unknown[]
let heard: string[]
let gaps: number[]

const handler: SubscriptionHandler = {
  message: (payload, channel) => void heard.push(`${channel}=${payload.toString()}`),
  gap: (sinceMonoMs) => void gaps.push(sinceMonoMs),
}

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

beforeEach(async () => {
  proxy = await TcpProxy.to(server.port)
  port = await ownedPort({ host: server.host, port: proxy.port, db: 0 })
  errors = []
  heard = []
  gaps = []
  subscriber = new Subscriber({
    port,
    clock: systemClock,
    random: systemRandom,
    name: 'vextrus-test-subscriber',
    connectTimeoutMs: 2_000,
    timeoutMs: 2_000,
    heartbeat: { everyMs: 100, timeoutMs: 1_500 },
    onError: (error) => errors.push(error),
  })
})
afterEach(async () => {
  subscriber.close()
  await port.close()
  await proxy.stop()
  if (errors.length > 0) throw new AggregateError(errors, 'the subscriber reported errors')
})

async function connectionsOnServer(): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => line.includes('name=vextrus-test-subscriber'))
}

async function publish(channel: string, message: string): Promise<number> {
  return Number(await server.command('PUBLISH', channel, message))
}

describe('on a real server', () => {
  it('channels and patterns share one connection, and the last subscription closes it', async () => {
    const news = await subscriber.subscribe({ channel: 'news' }, handler)
    const local = await subscriber.subscribe({ pattern: 'local.*' }, handler)
    expect(await connectionsOnServer()).toHaveLength(1)
    expect(await publish('news', 'привет')).toBe(1)
    expect(await publish('local.here', 'b')).toBe(1)
    await waitFor('both messages', () => heard.length === 2)
    expect(heard).toEqual(['news=привет', 'local.here=b'])

    await news.unsubscribe()
    await waitFor('the server to have let go of the channel', async () => (await publish('news', 'c')) === 0)
    await local.unsubscribe()
    await waitFor('the connection to be closed', async () => (await connectionsOnServer()).length === 0)
    expect(heard).toHaveLength(2)
  })

  it('a payload of any bytes arrives as it was sent', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128])
    const received: Buffer[] = []
    await subscriber.subscribe({ channel: 'bytes' }, { message: (payload) => void received.push(payload) })
    await server.command('PUBLISH', 'bytes', bytes)
    await waitFor('the payload', () => received.length === 1)
    expect(received[0]).toEqual(bytes)
  })

  it('a hundred subscriptions at once are all confirmed', async () => {
    const channels = Array.from({ length: 100 }, (_, i) => `channel ${i}`)
    await Promise.all(channels.map((channel) => subscriber.subscribe({ channel }, handler)))
    for (const channel of channels) expect(await publish(channel, 'x')).toBe(1)
    await waitFor('all messages', () => heard.length === 100)
    expect(await connectionsOnServer()).toHaveLength(1)
  })

  it('a reset connection is replaced, everything is subscribed again, and the gap is reported', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler)
    await subscriber.subscribe({ pattern: 'local.*' }, handler)
    const before = systemClock.mono()
    proxy.cut()
    await waitFor('both gaps', () => gaps.length === 2)
    for (const since of gaps) {
      expect(since).toBeLessThanOrEqual(before)
      expect(since).toBeGreaterThan(before - 1_000)
    }
    await publish('news', 'a')
    await publish('local.here', 'b')
    await waitFor('both messages', () => heard.length === 2)
  })

  it('a half-open connection is found by its heartbeat, and what was published meanwhile lies in the gap', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler)
    proxy.hold()
    await publish('news', 'lost')
    const published = systemClock.mono()
    await waitFor('another connection', () => proxy.accepted === 2)
    proxy.release()
    await waitFor('the gap', () => gaps.length === 1)
    expect(gaps[0]).toBeLessThan(published)
    await publish('news', 'after')
    await waitFor('the message', () => heard.includes('news=after'))
  })

  it('a restart of the server is survived', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler)
    await server.restart()
    await waitFor('the gap', () => gaps.length === 1)
    expect(await publish('news', 'after')).toBe(1)
    await waitFor('the message', () => heard.includes('news=after'))
  })

  it('no connection is left after close', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler)
    expect(proxy.connections).toBe(1)
    subscriber.close()
    await waitFor('the connection to be closed', () => proxy.connections === 0)
    expect(await connectionsOnServer()).toEqual([])
  })
})

describe('a user without access to a channel', () => {
  it('is refused at once with the answer of the server', async () => {
    const allowed = ['&public.*', '+ping', '+info', '+subscribe', '+unsubscribe', '+client|setname']
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret-of-app', 'resetchannels', ...allowed)
    const restricted = await ownedPort({
      host: server.host,
      port: server.port,
      db: 0,
      username: 'app',
      password: 'secret-of-app',
    })
    const own = new Subscriber({ ...subscriber['options'], port: restricted })
    try {
      await own.subscribe({ channel: 'public.news' }, handler)
      await expect(own.subscribe({ channel: 'private' }, handler)).rejects.toThrow(/NOPERM/)
      await publish('public.news', 'a')
      await waitFor('the message', () => heard.length === 1)
    } finally {
      own.close()
      await restricted.close()
      await server.command('ACL', 'DELUSER', 'app')
    }
  })
})
