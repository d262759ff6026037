import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Holder, type LockMode, type LockName, LockUnavailableError } from '../../src/lock/index.js'
import { RedisLockStore } from '../../src/lock/stores/redis.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { Shard, Topology } from '../../src/redis/topology.js'
import { redisLockStore } from '../support/lock-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** What only a real server has: a time of its own, keys that end by themselves, and calls that land after their deadline. */

const PREFIX = 'vextrus:'
const DEADLINE_MS = 2_000
const LONG_MS = 60_000
const keyspace = new Keyspace(PREFIX)
let server: RedisServer
let client: Awaited<ReturnType<typeof redisLockStore>>
let lock: LockName
let tests = 0

beforeAll(async () => {
  server = await startRedis()
  client = await redisLockStore({ url: server.url, commandTimeout: DEADLINE_MS }, PREFIX)
})
beforeEach(() => {
  lock = { kind: 'semaphore', key: `k${++tests}` }
})
afterAll(async () => {
  await client.close()
  await server.stop()
})

const holderOf = (token: string, mode: LockMode = 2): Holder => ({ token, mode })
async function ask(token: string, ttlMs = LONG_MS, aliveMs = 0, store = client.store): Promise<bigint | null> {
  const { fence } = await store.acquire({ lock, holder: holderOf(token), ttlMs, process: token, aliveMs })
  return fence
}
const partOf = (part: string): string => keyspace.lock(lock.key, [`${lock.kind}${part}`])[0]!
async function redisNow(): Promise<number> {
  const [seconds, micros] = (await server.command('TIME')) as [string, string]
  return Number(seconds) * 1_000 + Number(micros) / 1_000
}
async function elapse(ms: number): Promise<void> {
  const end = (await redisNow()) + ms
  await waitFor(`${ms} ms on the server's clock`, async () => (await redisNow()) >= end)
}

describe('holders together', () => {
  it('each end at their own time, though another goes on', async () => {
    expect(await ask('a')).not.toBeNull()
    expect(await ask('b', 40)).not.toBeNull()
    await elapse(41)
    expect(await client.store.extend(lock, holderOf('b'), LONG_MS)).toBe(false)
    expect(await client.store.release({ lock, holder: holderOf('b') })).toBe(false)
    expect(await ask('c', 40)).not.toBeNull()
    await elapse(41)
    // A holder of a short time took none from the other.
    expect(await ask('d')).not.toBeNull()
    expect(await ask('e')).toBeNull()
    expect(await client.store.release({ lock, holder: holderOf('a') })).toBe(true)
  })

  it('keep their time when one of them is extended for less', async () => {
    expect(await ask('a')).not.toBeNull()
    expect(await ask('b')).not.toBeNull()
    expect(await client.store.extend(lock, holderOf('b'), 20)).toBe(true)
    await elapse(21)
    expect(await client.store.release({ lock, holder: holderOf('a') })).toBe(true)
  })
})

describe('the fence', () => {
  it('grows though Redis’ clock is behind those handed out, and is remembered when nobody holds the lock', async () => {
    const ahead = (BigInt(Math.ceil(await redisNow())) + 3_600_000n) * 1_000n
    await server.command('SET', partOf('-fence'), String(ahead))
    expect(await ask('a', 20)).toBe(ahead + 1n)
    await elapse(21)
    expect(await ask('b')).toBe(ahead + 2n)
    expect(await ask('c')).toBe(ahead + 3n)
    expect(Number(await server.command('PTTL', partOf('-fence')))).toBeGreaterThan(6 * 86_400_000)
  })

  it('grows over the loss of its counter also for one who comes in beside a holder', async () => {
    const before = await ask('a')
    expect(await server.command('DEL', partOf('-fence'))).toBe(1)
    expect(await ask('b')).toBeGreaterThan(before!)
  })
})

describe('a call that lands after its deadline', () => {
  /** Redis' clock as a client sees it, whose call was so long under way. */
  const underWay = (ms: number): RedisLockStore => {
    const { connection } = client
    const late = (shard: Shard): Shard =>
      Object.assign(Object.create(shard) as Shard, { serverNow: () => (shard.serverNow() ?? 0) - ms })
    const topology: Topology = Object.assign(Object.create(connection) as Topology, {
      exec: (units: Parameters<Topology['exec']>[0]) =>
        connection.exec(
          units.map(({ key, commands }) => ({
            key,
            commands: typeof commands === 'function' ? (shard: Shard) => commands(late(shard)) : commands,
          })),
        ),
    })
    return new RedisLockStore(topology, connection.door, keyspace, {
      deadlineMs: DEADLINE_MS,
      warn: expect.unreachable,
    })
  }

  it('gets nothing, not even a place, and says so', async () => {
    await expect(ask('a', LONG_MS, LONG_MS, underWay(60_000))).rejects.toThrow(LockUnavailableError)
    expect(await server.command('EXISTS', partOf(''), partOf('-line'), partOf('-waiters'), partOf('-fence'))).toBe(0)
    expect(await ask('b', LONG_MS, 0, underWay(0))).not.toBeNull()
  })
})
