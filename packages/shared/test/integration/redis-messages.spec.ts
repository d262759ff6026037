import { fork } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FIRST_ID, type ListenTarget } from '../../src/pubsub/pubsub-store.js'
import { type PubSubOptions, RedisPubSubService } from '../../src/pubsub/index.js'
import type { RedisPubSubStore } from '../../src/pubsub/stores/redis.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { redisMessageStore } from '../support/pubsub-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

/** What only a real server has: connections that are cut, processes that are killed, servers that begin anew. */

const PREFIX = 'vextrus:'
const keyspace = new Keyspace(PREFIX)
let server: RedisServer
const open: (() => unknown)[] = []

beforeAll(async () => {
  // What is written stays through a restart.
  server = await startRedis({ appendonly: true })
})
afterAll(() => server.stop())
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function client(
  port = server.port,
  options: PubSubOptions = {},
): Promise<{ readonly store: RedisPubSubStore; readonly messages: RedisPubSubService }> {
  const { store, close } = await redisMessageStore({ host: '127.0.0.1', port }, PREFIX)
  open.push(close)
  const messages = new RedisPubSubService(() => store, options)
  open.push(() => messages.close())
  return { store, messages }
}
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
async function calls(name: string): Promise<number> {
  const stats = String(await server.command('INFO', 'commandstats'))
  return Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
}

describe('one connection of a process', () => {
  it('has one SUBSCRIBE for all subscriptions of a channel, of whatever kind, and none after the last', async () => {
    const { messages } = await client()
    const before = [await calls('subscribe'), await calls('unsubscribe')]
    const subscriptions = await Promise.all(
      numbers(0, 10).map((i) =>
        messages.subscribe('shared', () => undefined, [{}, { from: 'start' }, { group: 'g' }][i % 3]),
      ),
    )
    const channel = `${keyspace.channels}shared`
    expect(await server.command('PUBSUB', 'NUMSUB', channel)).toEqual([channel, 1])
    expect((await calls('subscribe')) - before[0]!).toBe(1)
    await messages.subscribe('another', () => undefined)
    for (const subscription of subscriptions) await subscription.unsubscribe()
    await waitFor('nobody listens', async () => {
      const [, listeners] = (await server.command('PUBSUB', 'NUMSUB', channel)) as [string, number]
      return listeners === 0
    })
    expect((await calls('unsubscribe')) - before[1]!).toBe(1)
  })

  it('sends the messages of a tick together', async () => {
    const { messages } = await client()
    const { messages: others } = await client()
    const heard: unknown[] = []
    await others.subscribe('many', (message) => void heard.push(message))
    await Promise.all(numbers(0, 500).map((i) => messages.publish('many', i)))
    await waitFor('all', () => heard.length === 500)
    expect(heard).toEqual(numbers(0, 500))
  })
})

describe('a connection that is cut', () => {
  it.each<[string, ListenTarget]>([
    ['channel', { channel: 'cut' }],
    ['pattern', { pattern: 'cut*' }],
  ])('tells who listens to a %s that it is lost, and then that it hears again', async (_, target) => {
    const proxy = await TcpProxy.to(server.port)
    open.push(() => proxy.stop())
    const { store } = await client(proxy.port)
    const { messages } = await client()
    const told: string[] = []
    await store.listen(target, {
      message: (_channel, body) => told.push(body.includes('missed') ? 'missed' : 'message'),
      lost: () => told.push('lost'),
      heard: () => told.push('heard'),
    })
    proxy.hold()
    proxy.cut()
    await waitFor('it to be known', () => told.includes('lost'))
    await messages.publish('cut', 'missed')
    proxy.release()
    await waitFor('it to hear again', () => told.includes('heard'))
    await messages.publish('cut', 'next')
    await waitFor('the message', () => told.includes('message'))
    expect(told).toEqual(['lost', 'heard', 'message'])
  })

  it('costs a durable subscription nothing, and a group no message; another is told', async () => {
    const proxy = await TcpProxy.to(server.port)
    open.push(() => proxy.stop())
    // A claim whose answer was lost: its messages come again after `idle`.
    const { messages } = await client(proxy.port, { idle: 200 })
    const { messages: others } = await client()
    const [durable, grouped, plain]: unknown[][] = [[], [], []]
    await messages.subscribe('d', (message) => void durable!.push(message), { from: 'now' })
    await messages.subscribe('d', (message) => void grouped!.push(message), { group: 'g', concurrency: 4 })
    await messages.subscribe('d', (message) => void plain!.push(message), { onMissed: (why) => void plain!.push(why) })
    for (const i of numbers(0, 60)) {
      if (i % 30 === 10) proxy.cut()
      await others.publish('d', i, { durable: true })
    }
    await waitFor('every message', () => durable!.length >= 60 && new Set(grouped).size === 60)
    expect(durable).toEqual(numbers(0, 60))
    await waitFor('the other is told', () => plain!.includes('connection'))
  })
})

describe('a server that is restarted while messages are published', () => {
  it('has each message once when it is published again with its messageId, and durable subscriptions have it so', async () => {
    const { messages } = await client()
    const { messages: others } = await client()
    const heard: unknown[] = []
    await others.subscribe('r', (message) => void heard.push(message), { from: 'start' })
    const publish = async (i: number): Promise<void> => {
      await waitFor(`message ${i}`, () =>
        messages.publish('r', i, { durable: true, messageId: `m${i}` }).then(
          () => true,
          (error: { code?: string }) => {
            if (error.code !== 'PUBSUB_UNAVAILABLE') throw error
            return false
          },
        ),
      )
    }
    const publishing = (async () => {
      for (const i of numbers(0, 40)) await publish(i)
    })()
    await waitFor('some', () => heard.length > 10)
    await server.restart()
    await publishing
    await waitFor('all', () => heard.length >= 40)
    expect(heard).toEqual(numbers(0, 40))
    expect((await (await client()).store.read('r', FIRST_ID, 100)).messages).toHaveLength(40)
  })

  it('and begins empty: who was there is told, and goes on', async () => {
    const { messages, store } = await client()
    const { messages: others } = await client()
    const [heard, grouped]: unknown[][] = [[], []]
    await messages.subscribe('e', (message) => void heard!.push(message), {
      from: 'start',
      onMissed: (why) => void heard!.push(why),
    })
    await messages.subscribe('e', (message) => void grouped!.push(message), { group: 'g' })
    await others.publish('e', 1, { durable: true })
    await waitFor('it', () => heard!.length === 1 && grouped!.length === 1)
    const [log] = keyspace.stream('e', ['log'])
    await server.command('DEL', log!)
    await others.publish('e', 2, { durable: true })
    await waitFor('the next', () => heard!.includes(2) && grouped!.includes(2))
    expect(heard).toEqual([1, 'trimmed', 2])
    expect(grouped).toEqual([1, 2])
    expect((await store.read('e', FIRST_ID, 10)).messages).toHaveLength(1)
  })
})

describe('a consumer that is killed', () => {
  it('is replaced: another of its group has its message after `idle`', async () => {
    const idle = 500
    const child = fork(new URL('../support/group-process.mjs', import.meta.url), [
      JSON.stringify({ url: server.url, keyPrefix: PREFIX, channel: 'k', idle }),
    ])
    open.push(() => child.kill('SIGKILL'))
    const told: { message?: string }[] = []
    child.on('message', (each: { message?: string }) => void told.push(each))
    await waitFor('it to begin', () => told.length === 1)
    const { messages } = await client(server.port, { idle })
    await messages.publish('k', 'precious', { durable: true })
    await waitFor('it to have the message', () => told.some(({ message }) => message === 'precious'))
    const heard: unknown[] = []
    await messages.subscribe('k', (message, { deliveries }) => void heard.push([message, deliveries]), { group: 'g' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await waitFor('it to be replaced', () => heard.length > 0)
    expect(heard).toEqual([['precious', 2]])
  })
})

describe('a key that somebody else wrote', () => {
  it('makes calls on its channel fail, and no others', async () => {
    const { store, messages } = await client()
    const [log] = keyspace.stream('w', ['log'])
    await server.command('SET', log!, 'x', 'PX', 60_000)
    await expect(messages.publish('w', 1, { durable: true })).rejects.toMatchObject({ code: 'PUBSUB_UNAVAILABLE' })
    await expect(store.read('w', FIRST_ID, 1)).rejects.toThrow(/WRONGTYPE/)
    await expect(messages.subscribe('w', () => undefined, { group: 'g' })).rejects.toThrow(/WRONGTYPE/)
    expect((await messages.publish('v', 1, { durable: true })).fresh).toBe(true)
  })
})
