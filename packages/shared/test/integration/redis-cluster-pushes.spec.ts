import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import type { RedisConnection } from '../../src/redis/index.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { command } from '../../src/redis/script.js'
import { slotOf } from '../../src/redis/slot.js'
import { Subscriber } from '../../src/redis/subscriber.js'
import { connection as connectionOf, reply } from '../support/redis-client.js'
import { type RedisCluster, startCluster } from '../support/redis-cluster.js'
import type { RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'
import { onWake } from '../support/manual-pushes.js'

let cluster: RedisCluster
const open: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.stop())
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** Callers' keys, one on each master. */
const KEYS = [0, 6_000, 11_000].map((from) => {
  for (let i = 0; ; i++) {
    const slot = slotOf(`vextrus:k${i}`)
    if (slot >= from && slot < from + 4_000) return `k${i}`
  }
}) as [string, string, string]

async function listening(): Promise<{ connection: RedisConnection; pushes: RedisPushes; heard: (string | null)[] }> {
  const { connection } = connectionOf({ cluster: { nodes: cluster.nodes } })
  open.push(() => connection.close())
  await connection.ready()
  const pushes = new RedisPushes(connection, new Keyspace('vextrus:'), (message) => {
    throw new Error(message)
  })
  open.push(() => pushes.close())
  const heard: (string | null)[] = []
  onWake(pushes, (key) => heard.push(key))
  pushes.start()
  expect(pushes.live).toBe(false)
  await waitFor('the pushes flow', () => pushes.live)
  heard.length = 0
  return { connection, pushes, heard }
}

const write = (connection: RedisConnection, key: string) =>
  reply(connection, `vextrus:${key}`, command('SET', [`vextrus:${key}`, '1', 'PX', 60_000]))

/** How many tracking sessions a server has. */
async function sessionsAt(server: RedisServer): Promise<number> {
  return (String(await server.command('CLIENT', 'LIST')).match(/name=vextrus-tracking/g) ?? []).length
}

it('pushes come from every master', async () => {
  const { connection, heard } = await listening()
  for (const key of KEYS) await write(connection, key)
  await waitFor('three pushes', () => KEYS.every((key) => heard.includes(key)))
  expect(heard).not.toContain(null)
})

it('a slot that moves ends the epoch of pushes, and those of its new master come (R20)', async () => {
  const { connection, pushes, heard } = await listening()
  const key = KEYS[0]
  const slot = slotOf(`vextrus:${key}`)
  await write(connection, key)
  const [from, to] = [await cluster.masterOf(slot), await cluster.masterOf(`vextrus:${KEYS[1]}`)]
  await waitFor('the push', () => heard.includes(key))
  heard.length = 0
  await cluster.migrateSlot(slot, from, to)
  // The key left its master: that is a push too.
  await waitFor('the push of the key that left', () => heard.includes(key))
  await write(connection, key)
  expect(heard).toContain(null)
  await waitFor('live again', () => pushes.live)
  heard.length = 0
  await write(connection, key)
  await waitFor('the push from there', () => heard.includes(key))
  await cluster.migrateSlot(slot, to, from)
})

it('a master that is new is covered before anything is live again, and one that is gone is not missed', async () => {
  const { connection, pushes, heard } = await listening()
  const key = '{fresh}k'
  const slot = slotOf(`vextrus:${key}`)
  const [from, to] = [await cluster.masterOf(slot), await cluster.addMaster()]
  let live: boolean | undefined
  await cluster.migrateSlot(slot, from, to, async (step) => {
    if (step !== 'migrating') return
    connection.onMoved(() => (live ??= pushes.live))
    await write(connection, key)
  })
  expect(live).toBe(false)
  expect(heard).toContain(null)
  await waitFor('live with four', () => pushes.live)
  expect(await sessionsAt(to)).toBe(1)
  heard.length = 0
  await write(connection, key)
  await waitFor('the push of the new master', () => heard.includes(key))
  await cluster.migrateSlot(slot, to, from)
})

it('while a master is away nothing is live, and pushes of its successor come after', async () => {
  const { connection, pushes, heard } = await listening()
  const key = KEYS[2]
  const old = await cluster.masterOf(`vextrus:${key}`)
  await old.kill()
  open.push(() => old.restart().then(() => cluster.healthy()))
  await waitFor('it is noticed', () => !pushes.live)
  await waitFor('it is told', () => heard.includes(null))
  await waitFor('live again', () => pushes.live, 30_000)
  heard.length = 0
  await write(connection, key)
  await expect.poll(() => heard, { timeout: 15_000 }).toContain(key)
})

it('a subscriber hears what is published at any node, and goes to another one when its own is lost', async () => {
  const { connection } = await listening()
  const gaps: number[] = []
  const heard: string[] = []
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
  await subscriber.subscribe(
    { channel: 'news' },
    { message: (text) => void heard.push(text.toString()), gap: (since) => void gaps.push(since) },
  )
  for (const server of cluster.servers) await server.command('PUBLISH', 'news', String(server.port))
  await waitFor('all of them', () => cluster.servers.every(({ port }) => heard.includes(String(port))))

  const lists = await Promise.all(cluster.servers.map((server) => server.command('CLIENT', 'LIST')))
  const at = lists.findIndex((list) => String(list).includes('name=vextrus-test-subscriber'))
  const own = cluster.servers[at]!
  await own.kill()
  open.push(() => own.restart())
  await waitFor('the gap is told', () => gaps.length > 0)
  const other = cluster.servers.find((server) => server !== own)!
  await other.command('PUBLISH', 'news', 'after')
  await waitFor('the message', () => heard.includes('after'))
  expect(gaps).toHaveLength(1)
})
