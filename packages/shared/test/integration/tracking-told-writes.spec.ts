import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { NewEntry } from '../../src/cache/cache-store.js'
import { RedisCacheStore } from '../../src/cache/stores/redis.js'
import type { Telling } from '../../src/cache/stores/redis-writes.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { ManualPushes } from '../support/manual-pushes.js'
import { connection as connectionOf } from '../support/redis-client.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

class TellingPushes extends ManualPushes {
  telling: Telling = 'must'
}

const keyspace = new Keyspace('vextrus:')
const pushes = new TellingPushes()
const HOLD = { owner: 'o', keys: ['k'], tags: ['t'] }
const [K, CLOCK, CLEAR] = ['vextrus:k', keyspace.tags, keyspace.clearMarker]

let server: RedisServer
let store: RedisCacheStore
let stop: () => Promise<void>
const seen: string[] = []

beforeAll(async () => {
  server = await startRedis()
  const { connection } = connectionOf({ url: server.url })
  await connection.ready()
  store = new RedisCacheStore(connection, keyspace, pushes, { deadlineMs: connection.commandTimeoutMs })
  const listener = await connection.door.dedicated({ name: 'observer', connectTimeoutMs: 2_000 })
  listener.onMessage((_, key) => seen.push(String(key)))
  await listener.call('SUBSCRIBE', [keyspace.changes])
  stop = async () => {
    listener.close()
    await connection.close()
    await server.stop()
  }
})
afterAll(() => stop())
beforeEach(async () => {
  pushes.telling = 'must'
  await server.command('FLUSHALL')
  await store.createClock()
  await told()
})

/** What was published since the last time. */
async function told(): Promise<string[]> {
  await server.command('PUBLISH', keyspace.changes, 'that is all')
  await waitFor('the last message', () => seen.includes('that is all'))
  return seen.splice(0).filter((key) => key !== 'that is all')
}

async function entry(overrides: Partial<NewEntry> = {}): Promise<NewEntry> {
  const { g, s } = await store.createClock()
  const life = { ttlMs: 60_000, graceMs: 0, deltaMs: 5 }
  return { key: 'k', g: g!, s, ...life, codec: 'j', tags: [], version: null, payload: '1', ...overrides }
}

async function stored(overrides: Partial<NewEntry> = {}): Promise<void> {
  const made = await entry(overrides)
  expect((await store.set([made], made.s)).outcomes).toEqual(['stored'])
}

async function lease(): Promise<string> {
  const { leases } = await store.acquire([{ key: 'k', token: 'token', ttlMs: 10_000 }], null)
  return leases[0]!.value
}

describe('the write publishes what it wrote (R23):', () => {
  it('a set', async () => {
    await stored()
    expect(await told()).toEqual([K])
  })

  it('a set with a version, and not one that is refused', async () => {
    await stored({ version: '2' })
    expect(await told()).toEqual([K])
    const older = await entry({ version: '1' })
    expect((await store.set([older], older.s)).outcomes).toEqual(['older'])
    expect(await told()).toEqual([])
  })

  it('a fill, and not one whose lease is gone', async () => {
    const value = await lease()
    const fill = { key: 'k', value, e: '--------', entry: await entry() }
    await store.fill([fill], [])
    expect(await told()).toEqual([K])
    expect((await store.fill([fill], [])).stored).toEqual([false])
    expect(await told()).toEqual([])
  })

  it('a touch', async () => {
    await stored()
    await told()
    const { entries } = await store.read(['k'], null)
    expect(await store.touch('k', entries[0]!, { ttlMs: 5_000, graceMs: 0 })).toBe(true)
    expect(await told()).toEqual([K])
  })

  it('a delete, whether or not there was something', async () => {
    await stored()
    await told()
    expect(await store.delete(['k'])).toEqual([true])
    expect(await store.delete(['k'])).toEqual([false])
    expect(await told()).toEqual([K, K])
  })

  it('a delete of what is only being loaded, and a release: both wake', async () => {
    await lease()
    await store.delete(['k'])
    expect(await told()).toEqual([K, keyspace.wake('k')])
    await store.release([{ key: 'k', value: await lease() }])
    expect(await told()).toEqual([keyspace.wake('k')])
  })

  it('a delete by pattern, by the marker that empties all', async () => {
    await stored()
    await told()
    expect(await store.deletePattern('k*')).toBe(1)
    expect(await told()).toEqual([CLEAR])
  })

  it('an invalidation of tags', async () => {
    await store.bumpTags(['t'], 100)
    expect(await told()).toEqual([CLOCK])
  })

  it('a clear, its marker last', async () => {
    await store.clear()
    expect(await told()).toEqual([CLOCK, CLEAR])
  })

  it('a hold: placed, renewed, ended', async () => {
    expect(await store.placeHold(HOLD, 5_000, 100)).toBe(true)
    expect(await told()).toEqual([CLOCK, K, CLOCK])
    expect(await store.renewHold(HOLD, 5_000)).toBe(true)
    expect(await told()).toEqual([CLOCK])
    await store.endHold(HOLD, 100)
    expect(await told()).toEqual([K, CLOCK])
  })

  it('a clock that was made or moved to another master, and not a look at it', async () => {
    await server.command('DEL', CLOCK)
    await store.createClock()
    await store.createClock()
    expect(await told()).toEqual([CLOCK])
    await server.command('ZREM', CLOCK, ...((await server.command('ZRANGE', CLOCK, 0, 0)) as string[]))
    await store.createClock()
    expect(await told()).toEqual([CLOCK])
  })

  it('an invalidation, although the memory is full', async () => {
    await stored()
    await told()
    await server.command('CONFIG', 'SET', 'maxmemory', 1)
    try {
      await store.delete(['k'])
      await store.bumpTags(['t'], 100)
      await store.clear()
      expect(await told()).toEqual([K, CLOCK, CLOCK, CLEAR])
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory', 0)
    }
  })

  it('on a server that has forgotten its scripts', async () => {
    await server.command('SCRIPT', 'FLUSH')
    await stored()
    expect(await told()).toEqual([K])
  })
})

describe('where nobody has to be told (R23)', () => {
  it('nothing is published, and the server runs no other commands', async () => {
    pushes.telling = 'no'
    await server.command('CONFIG', 'RESETSTAT')
    await stored()
    await store.delete(['k'])
    await store.deletePattern('*')
    await lease()
    await store.delete(['k'])
    await store.placeHold(HOLD, 5_000, 100)
    await store.endHold(HOLD, 100)
    await store.clear()
    const stats = String(await server.command('INFO', 'commandstats'))
    const ran = new Map([...stats.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)].map(([, name, calls]) => [name!, +calls!]))
    expect(await told()).toEqual([])
    expect(ran.has('publish')).toBe(false)
    // Four deletes, and a wake that is no script: the others are the entry and the clear's marker.
    expect([ran.get('unlink'), ran.get('set')]).toEqual([4, 4])
  })
})
