import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CacheStore, HeldLease, NewEntry } from '../../src/cache/cache-store.js'
import { CacheUnavailableError } from '../../src/cache/errors.js'
import { RedisCacheStore } from '../../src/cache/stores/redis.js'
import type { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { Executed, RedisCommand, Shard, Topology } from '../../src/redis/topology.js'
import type { RedisServer } from '../support/redis-server.js'
import { startRedis } from '../support/redis-server.js'
import { connected } from '../support/store-backends.js'
import { topologyOf } from '../support/topology-of.js'
import { waitFor } from '../support/wait-for.js'
import { onWake } from '../support/manual-pushes.js'

/** What only a real server shows: scripts it does not know, a pause, a loss, and other clients between two commands. */

const COMMAND_TIMEOUT_MS = 1_000
const keyspace = new Keyspace('vextrus:')
let server: RedisServer
let client: Awaited<ReturnType<typeof connected>>
let store: RedisCacheStore

beforeAll(async () => {
  server = await startRedis()
})

beforeEach(async () => {
  client = await connected({ url: server.url, commandTimeout: COMMAND_TIMEOUT_MS }, keyspace)
  store = client.store
  await server.command('FLUSHALL')
  await server.command('SCRIPT', 'FLUSH')
  return () => client.close()
})

afterAll(() => server.stop())

async function entryOf(key: string, overrides: Partial<NewEntry> = {}): Promise<NewEntry> {
  const { g, s } = await store.createClock()
  return {
    ...{ key, g: g!, s, ttlMs: 60_000, graceMs: 0, deltaMs: 0, codec: 'j', tags: [], version: null },
    payload: '"value"',
    ...overrides,
  }
}

async function granted(key: string): Promise<HeldLease> {
  const { leases } = await store.acquire([{ key, token: 'token', ttlMs: 10_000 }], null)
  expect(leases[0]!.granted).toBe(true)
  return { key, value: leases[0]!.value }
}

describe('a server that does not know the scripts', () => {
  it('gets them once, and answers every operation as if it had known them', async () => {
    const entry = await entryOf('k')
    const lease = await granted('k')
    const { sources } = await store.read(['k'], null)
    await server.command('SCRIPT', 'FLUSH')
    expect(await store.renew([lease], 5_000)).toEqual([true])
    expect((await store.fill([{ ...lease, e: sources[0]!.epoch, entry }], [])).stored).toEqual([true])
    const seen = (await store.read(['k'], null)).entries[0]!
    expect(await store.touch('k', seen, { ttlMs: 90_000, graceMs: 0 })).toBe(true)
    await server.command('SCRIPT', 'FLUSH')
    expect((await store.set([entry], entry.s)).outcomes).toEqual(['stored'])
    await store.release([await granted('other')])
    await store.bumpTags(['x'], 100)
    expect((await store.tags(['x'])).seqs).toEqual([entry.s + 1])
  })

  it('is cleared all the same, and its clock made', async () => {
    await store.clear()
    const first = await store.tags([])
    await server.command('SCRIPT', 'FLUSH')
    await store.clear()
    expect(Number((await store.tags([])).g)).toBeGreaterThan(Number(first.g))
  })

  it('wakes the waiters of a release when the lease is gone, not before', async () => {
    const lease = await granted('k')
    await server.command('SCRIPT', 'FLUSH')
    let leaseAtWake: Promise<unknown> | undefined
    const stop = onWake(store.pushes, () => {
      leaseAtWake ??= server.command('EXISTS', keyspace.lease('k'))
    })
    await store.release([lease])
    await waitFor('the wake', () => leaseAtWake !== undefined)
    stop()
    expect(await leaseAtWake).toBe(0)
  })
})

describe('a delete (R11)', () => {
  it('leaves nothing, whatever another client stores between its commands', async () => {
    const fill = {
      ...(await granted('k')),
      e: client.connection.shardOf('k')!.session!.epoch,
      entry: await entryOf('k'),
    }
    const between = new SteppingServer(client.connection, async () => void (await store.fill([fill], [])))
    const slow = new RedisCacheStore(between.topology, keyspace, store.pushes, { deadlineMs: COMMAND_TIMEOUT_MS })
    await slow.delete(['k'])
    expect(between.steps).toBeGreaterThanOrEqual(2)
    expect((await store.read(['k'], null)).entries).toEqual([null])
    expect((await store.fill([fill], [])).stored).toEqual([false])
  })
})

describe('a write that reaches the server after its deadline', () => {
  it('is refused: its caller was told that it failed (R14)', async () => {
    const entry = await entryOf('k', { payload: '"late"' })
    await store.set([{ ...entry, payload: '"first"' }], entry.s)
    await store.touch('k', (await store.read(['k'], null)).entries[0]!, { ttlMs: 60_000, graceMs: 0 })
    const seen = (await store.read(['k'], null)).entries[0]!
    await server.command('CONFIG', 'RESETSTAT')
    server.pause()
    const late = store.set([entry], entry.s)
    const touched = store.touch('k', seen, { ttlMs: 900_000, graceMs: 0 })
    await expect(late).rejects.toThrow(CacheUnavailableError)
    await expect(touched).rejects.toThrow(CacheUnavailableError)
    server.resume()
    await waitFor('what was under way', async () =>
      String(await server.command('INFO', 'commandstats')).includes('cmdstat_evalsha:calls=2,'),
    )
    const [after] = (await other().read(['k'], null)).entries
    expect(after).toEqual(seen)
  })
})

describe('every key', () => {
  it('has a TTL, but for the tag clock', async () => {
    const entry = await entryOf('set')
    await store.set([entry], entry.s)
    const lease = await granted('filled')
    await store.fill(
      [{ ...lease, e: client.connection.shardOf('k')!.session!.epoch, entry: await entryOf('filled') }],
      [],
    )
    const touched = (await store.read(['set'], null)).entries[0]!
    await store.touch('set', touched, { ttlMs: 60_000, graceMs: 0 })
    await granted('held')
    await store.renew([await granted('renewed')], 10_000)
    await store.release([await granted('released')])
    await granted('deleted')
    await store.delete(['deleted'])
    await store.bumpTags(['x'], 100)
    await store.clear()
    expect(await server.scanKeysWithoutTtl([])).toEqual([keyspace.tags])
    expect(Number(await server.command('DBSIZE'))).toBeGreaterThanOrEqual(7)
  })
})

describe('a server that is away', () => {
  it('makes every operation reject with CacheUnavailableError, which names what mends it and has the cause', async () => {
    const entry = await entryOf('k')
    await store.set([entry], entry.s)
    const seen = (await store.read(['k'], null)).entries[0]!
    await server.kill()
    const lease = { key: 'k', value: 'token:1' }
    const operations: Record<string, () => Promise<unknown>> = {
      read: () => store.read(['k'], 2),
      tags: () => store.tags(['x']),
      createClock: () => store.createClock(),
      acquire: () => store.acquire([{ key: 'k', token: 't', ttlMs: 1_000 }], 2),
      renew: () => store.renew([lease], 1_000),
      release: () => store.release([lease]),
      fill: () => store.fill([{ ...lease, e: 'epoch678', entry }], ['x']),
      set: () => store.set([entry], 2),
      touch: () => store.touch('k', seen, { ttlMs: 1_000, graceMs: 0 }),
      delete: () => store.delete(['k']),
      bumpTags: () => store.bumpTags(['x'], 100),
      clear: () => store.clear(),
    }
    for (const [name, operation] of Object.entries(operations)) {
      const error = await operation().then(
        () => undefined,
        (each: unknown) => each,
      )
      expect(error, name).toBeInstanceOf(CacheUnavailableError)
      expect(error, name).toMatchObject({ code: 'CACHE_UNAVAILABLE' })
      expect((error as Error).message, name).toMatch(/`host`|`url`|`commandTimeout`/)
    }
    await server.restart()
    await waitFor('the connection', () => client.connection.status === 'ready')
    expect((await store.read(['k'], null)).clock.g).toBeNull()
  })

  it('answers an error in place of a reply as unavailable: a key of the wrong type, memory that is full', async () => {
    await server.command('SET', keyspace.tags, 'no sorted set')
    await expect(store.tags(['x'])).rejects.toThrow(CacheUnavailableError)
    await server.command('DEL', keyspace.tags)
    const entry = await entryOf('k')
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect((await store.set([entry], entry.s)).outcomes).toMatchObject([{ cause: { reply: 'OOM' } }])
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
  })
})

/** A store of the same prefix on the connection of the test itself. */
function other(): CacheStore {
  return new RedisCacheStore(client.connection, keyspace, store.pushes, { deadlineMs: COMMAND_TIMEOUT_MS })
}

/** Sends the commands of a list one by one, and lets the test do something after the first. */
class SteppingServer {
  steps = 0
  readonly topology: Topology

  constructor(
    connection: RedisConnection,
    private readonly afterFirst: () => Promise<void>,
  ) {
    const shard = connection.shards()[0]!
    this.topology = topologyOf({
      id: shard.id,
      session: shard.session,
      exec: (commands) => this.step(shard, commands),
      serverNow: () => shard.serverNow(),
    })
  }

  private async step(shard: Shard, commands: readonly RedisCommand[]): Promise<Executed> {
    const all: Executed[] = []
    for (const command of commands) {
      all.push(await shard.exec([command]))
      if (++this.steps === 1) await this.afterFirst()
    }
    return { replies: all.flatMap(({ replies }) => replies), session: all[0]!.session }
  }
}
