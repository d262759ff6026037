import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { RedisPubSubService } from '../../src/pubsub/pubsub.js'
import { RedisPubSubStore } from '../../src/pubsub/stores/redis.js'
import type { RedisConnection } from '../../src/redis/index.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { slotOf } from '../../src/redis/slot.js'
import { connection as connectionOf } from '../support/redis-client.js'
import { type RedisCluster, startCluster } from '../support/redis-cluster.js'
import type { RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

let cluster: RedisCluster
const open: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.stop())
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** A process of its own: connection, store and service. */
async function process(sharded = true): Promise<{ connection: RedisConnection; messages: RedisPubSubService }> {
  const { connection } = connectionOf({ cluster: { nodes: cluster.nodes } })
  open.push(() => connection.close())
  await connection.ready()
  const store = new RedisPubSubStore(connection, connection.door, new Keyspace(), {
    keepMs: 60_000,
    warn: () => undefined,
    sharded: sharded ? connection : undefined,
  })
  open.push(() => store.close())
  const messages = new RedisPubSubService(() => store)
  open.push(() => messages.close())
  return { connection, messages }
}

/** How many sharded channels a server has. */
async function shardedAt(server: RedisServer): Promise<number> {
  return ((await server.command('PUBSUB', 'SHARDCHANNELS')) as string[]).length
}

it('a message of a sharded channel goes to the master of its slot alone', async () => {
  const [one, other] = [await process(), await process()]
  const heard: unknown[] = []
  for (const channel of ['a', 'b', 'c', 'd'])
    await one.messages.subscribe(channel, (message) => void heard.push(message))
  for (const channel of ['a', 'b', 'c', 'd']) {
    await other.messages.publish(channel, channel)
    await other.messages.publish(channel, `${channel} kept`, { durable: true })
  }
  await waitFor('all are heard', () => heard.length === 8)
  expect(new Set(heard)).toEqual(new Set(['a', 'a kept', 'b', 'b kept', 'c', 'c kept', 'd', 'd kept']))
  const counts = await Promise.all(cluster.servers.map(shardedAt))
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4)
})

it('a pattern of sharded channels is refused', async () => {
  const { messages } = await process()
  await expect(messages.subscribe('a*', () => undefined)).rejects.toThrow(/sharded/)
})

it('a channel whose slot moves goes with it, and a durable subscription misses nothing', async () => {
  const [one, other] = [await process(), await process()]
  const channel = 'moving'
  const heard: number[] = []
  const plain: string[] = []
  await one.messages.subscribe<number>(channel, (message) => void heard.push(message), { from: 'start' })
  await one.messages.subscribe(channel, () => undefined, { onMissed: (reason) => void plain.push(reason) })
  const slot = slotOf(new Keyspace().shardedChannel(channel))
  const from = await cluster.masterOf(slot)
  const to = cluster.servers.find((server) => server !== from)!
  let sent = 0
  const publish = async (): Promise<void> => {
    await other.messages.publish(channel, sent, { durable: true })
    sent++
  }
  for (let i = 0; i < 20; i++) await publish()
  await cluster.migrateSlot(slot, from, to)
  for (let i = 0; i < 20; i++) await publish()
  await waitFor('all are heard', () => heard.length === sent)
  expect(heard).toEqual(Array.from({ length: sent }, (_, i) => i))
  await waitFor('the other subscription knows of the gap', () => plain.includes('connection'))
  await waitFor('it is subscribed where the slot is', async () => (await shardedAt(to)) === 1)
  expect(await shardedAt(from)).toBe(0)
})

it('without sharding nobody misses a message of a channel whose slot moves', async () => {
  const [one, other] = [await process(false), await process(false)]
  const channel = 'moving-classic'
  const [durable, grouped, plain]: number[][] = [[], [], []]
  await one.messages.subscribe<number>(channel, (message) => void durable!.push(message), { from: 'start' })
  await one.messages.subscribe<number>(channel, (message) => void grouped!.push(message), { group: 'g' })
  await one.messages.subscribe<number>(channel, (message) => void plain!.push(message))
  const slot = slotOf(new Keyspace().stream(channel, ['log'])[0]!)
  const from = await cluster.masterOf(slot)
  const to = cluster.servers.find((server) => server !== from)!
  let sent = 0
  const publish = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await other.messages.publish(channel, sent++, { durable: true })
  }
  await publish()
  await cluster.migrateSlot(slot, from, to, publish)
  await publish()
  const all = Array.from({ length: sent }, (_, i) => i)
  await waitFor('all are heard', () => [durable, grouped, plain].every((heard) => heard!.length === sent))
  expect([durable, grouped]).toEqual([all, all])
  // Those of two masters may overtake each other.
  expect(plain!.sort((a, b) => a - b)).toEqual(all)
})

it('without sharding every node tells, also patterns', async () => {
  const [one, other] = [await process(false), await process(false)]
  const heard: [string, unknown][] = []
  await one.messages.subscribe('x:*', (message, { channel }) => void heard.push([channel, message]))
  await other.messages.publish('x:1', 1)
  await other.messages.publish('x:2', 2, { durable: true })
  await waitFor('both are heard', () => heard.length === 2)
  // In any order: they come by way of the masters of their logs.
  expect(new Map(heard)).toEqual(
    new Map([
      ['x:1', 1],
      ['x:2', 2],
    ]),
  )
})
