import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PushListener } from '../../src/cache/cache-store.js'
import { RedisCacheService } from '../../src/cache/cache.js'
import { CacheUnavailableError } from '../../src/cache/errors.js'
import { RedisPushes } from '../../src/cache/stores/redis-pushes.js'
import { RedisCacheStore } from '../../src/cache/stores/redis.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import { connection as connectionOf } from '../support/redis-client.js'
import { startCluster } from '../support/redis-cluster.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { documentedAclRule } from '../support/store-backends.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

const keyspace = new Keyspace('vextrus:')
const STALENESS_MS = 400
const REFUSED = { username: 'refused', password: 'secret' }
const ALLOWED = { username: 'allowed', password: 'secret' }

/** Servers with two users: one may do what SECURITY.md says, the other may not track. */
interface Site {
  readonly servers: readonly RedisServer[]
  readonly address: RedisConnectionOptions
  masterOf(redisKey: string): Promise<RedisServer>
  stop(): Promise<void>
}

interface Process {
  readonly connection: ReturnType<typeof connectionOf>['connection']
  readonly pushes: RedisPushes
  readonly store: RedisCacheStore
  readonly cache: RedisCacheService
  readonly heard: string[]
  readonly warnings: string[]
}

async function standalone(): Promise<Site> {
  const server = await startRedis()
  await allow([server])
  const { host, port } = server
  return { servers: [server], address: { host, port }, masterOf: async () => server, stop: () => server.stop() }
}

async function cluster(): Promise<Site> {
  const made = await startCluster({ replicas: 0 })
  await allow(made.servers)
  return {
    servers: made.servers,
    address: { cluster: { nodes: made.nodes } },
    masterOf: (redisKey) => made.masterOf(redisKey),
    stop: () => made.stop(),
  }
}

async function allow(servers: readonly RedisServer[]): Promise<void> {
  const rule = await documentedAclRule()
  for (const server of servers) {
    await server.command('ACL', 'SETUSER', 'allowed', 'on', '>secret', ...rule)
    await server.command('ACL', 'SETUSER', 'refused', 'on', '>secret', ...rule, '-client|tracking')
  }
}

const undo: (() => unknown)[] = []
async function undoAll(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step()
}

/** One more process of the fleet. */
async function join(address: RedisConnectionOptions, user: typeof REFUSED): Promise<Process> {
  const { connection } = connectionOf({ ...address, ...user })
  await connection.ready()
  const warnings: string[] = []
  const pushes = new RedisPushes(connection, keyspace, (message) => warnings.push(message), {
    stalenessMs: STALENESS_MS,
  })
  const store = new RedisCacheStore(connection, keyspace, pushes, { deadlineMs: connection.commandTimeoutMs })
  const cache = new RedisCacheService(store, { jitter: 0, l1: { staleness: STALENESS_MS } })
  const heard: string[] = []
  pushes.listen({
    invalidate: (key) => heard.push(key),
    signalled: (key) => heard.push(`wake ${key}`),
    clockMoved: () => heard.push('clock'),
    reset: (reason) => heard.push(`reset: ${reason}`),
  } satisfies PushListener)
  pushes.start()
  undo.push(async () => {
    await cache.close()
    pushes.close()
    await connection.close()
  })
  return { connection, pushes, store, cache, heard, warnings }
}

const live = ({ pushes }: Process): Promise<void> => waitFor('L1 is on', () => pushes.live)

/** It holds the key in L1, and reads it there. */
async function holds({ cache }: Process, ...keys: string[]): Promise<void> {
  for (const key of keys) {
    await waitFor(`${key} is near`, async () => (await cache.lookup(key)).level === 'l1')
  }
}

/** Long before anything near would end by itself. */
const SOON = { timeout: 15_000, interval: 5 }

describe.each([
  ['one server', standalone],
  ['a Cluster', cluster],
])('where %s refuses tracking, what another process writes reaches L1 (R23):', (_, start) => {
  let site: Site
  let one: Process
  let other: Process

  beforeAll(async () => {
    site = await start()
    ;[one, other] = [await join(site.address, REFUSED), await join(site.address, REFUSED)]
    await Promise.all([live(one), live(other)])
  }, 60_000)
  afterAll(async () => {
    await undoAll()
    await site.stop()
  })
  beforeEach(() => one.cache.delete('k'))

  it('all must publish there', () => {
    expect([one, other].map(({ pushes }) => [pushes.mode, pushes.telling])).toEqual([
      ['published', 'must'],
      ['published', 'must'],
    ])
  })

  it('set, and one with a version', async () => {
    await other.cache.set('k', 1)
    await holds(one, 'k')
    await other.cache.set('k', 2)
    await expect.poll(() => one.cache.get('k'), SOON).toBe(2)
    await holds(one, 'k')
    await other.cache.set('k', 3, { version: 7 })
    await expect.poll(() => one.cache.get('k'), SOON).toBe(3)
  })

  it('delete, also of what Redis has evicted meanwhile, which nobody was told', async () => {
    await other.cache.set('k', 1)
    await holds(one, 'k')
    await other.cache.delete('k')
    await expect.poll(() => one.cache.get('k'), SOON).toBeNull()
    const master = await site.masterOf('vextrus:k')
    // Again where the news of the set came after `one` had it, and took it away.
    await waitFor('L1 alone to have it', async () => {
      await other.cache.set('k', 2)
      await holds(one, 'k')
      await master.command('UNLINK', 'vextrus:k')
      return (await one.cache.get('k')) === 2
    })
    await other.cache.delete('k')
    await expect.poll(() => one.cache.get('k'), SOON).toBeNull()
  })

  it('deleteByPattern, also of what was evicted', async () => {
    await other.cache.set('p:1', 1)
    await other.cache.set('p:2', 2)
    await holds(one, 'p:1', 'p:2')
    await (await site.masterOf('vextrus:p:1')).command('UNLINK', 'vextrus:p:1')
    await other.cache.deleteByPattern('p:*')
    await expect.poll(() => one.cache.get('p:1'), SOON).toBeNull()
    await expect.poll(() => one.cache.get('p:2'), SOON).toBeNull()
  })

  it('invalidateByTag', async () => {
    await other.cache.set('k', 1, { tags: ['t'] })
    await holds(one, 'k')
    await other.cache.invalidateByTag('t')
    await expect.poll(() => one.cache.get('k'), SOON).toBeNull()
  })

  it('clear, also of what has no tag', async () => {
    await other.cache.set('k', 1)
    await holds(one, 'k')
    await other.cache.clear()
    await expect.poll(() => one.cache.get('k'), SOON).toBeNull()
  })

  it('a tag clock that was made', async () => {
    await (await site.masterOf(keyspace.tags)).command('DEL', keyspace.tags)
    one.heard.length = 0
    await other.store.createClock()
    await expect.poll(() => one.heard, SOON).toContain('clock')
  })

  it('invalidateAround, from its hold on', async () => {
    await other.cache.set('k', 1, { tags: ['t'] })
    await holds(one, 'k')
    await other.cache.invalidateAround({ tags: ['t'] }, async () => {
      await expect.poll(() => one.cache.get('k'), SOON).toBeNull()
    })
    await one.cache.getOrSet('k', async () => 2, { tags: ['t'] })
    await holds(one, 'k')
  })

  it('touch: it ends with the entry', async () => {
    await other.cache.set('k', 1, { ttl: '1h' })
    await holds(one, 'k')
    expect(await other.cache.touch('k', '200ms')).toBe(true)
    await expect.poll(() => one.cache.get('k'), SOON).toBeNull()
  })

  it('a fill', async () => {
    await other.cache.getOrSet('filled', async () => 1)
    await expect.poll(() => one.heard, SOON).toContain('filled')
  })

  it('a delete of what is only being loaded: it wakes who waits for it', async () => {
    const { leases } = await other.store.acquire([{ key: 'loading', token: 'token', ttlMs: 10_000 }], null)
    expect(leases[0]!.granted).toBe(true)
    await other.cache.delete('loading')
    await expect.poll(() => one.heard, SOON).toContain('wake loading')
  })
})

describe('one server', () => {
  let site: Site
  beforeAll(async () => {
    site = await standalone()
  })
  afterAll(() => site.stop())
  afterEach(undoAll)

  /** What is published anywhere; a pattern does not count as somebody who listens. */
  async function published(): Promise<string[]> {
    const seen: string[] = []
    const { connection } = connectionOf(site.address)
    undo.push(() => connection.close())
    await connection.ready()
    const listener = await connection.door.dedicated({ name: 'observer', connectTimeoutMs: 2_000 })
    undo.push(() => listener.close())
    listener.onMessage((channel, payload) => seen.push(`${channel} ${String(payload)}`))
    await listener.call('PSUBSCRIBE', ['*'])
    return seen
  }

  async function everyWrite({ cache }: Process): Promise<void> {
    await cache.set('w', 1, { tags: ['t'] })
    await cache.set('w', 2, { version: 2 })
    await cache.touch('w', '1m')
    await cache.getOrSet('w2', async () => 1)
    await cache.delete('w')
    await cache.deleteByPattern('w*')
    await cache.invalidateAround({ keys: ['w'], tags: ['t'] }, async () => undefined)
    await cache.clear()
  }

  const commandsRun = async (): Promise<Map<string, number>> => {
    const stats = String(await site.servers[0]!.command('INFO', 'commandstats'))
    return new Map([...stats.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)].map(([, name, calls]) => [name!, Number(calls)]))
  }

  it('that allows tracking has nothing published on it, and runs no other commands than before (R23)', async () => {
    const seen = await published()
    const one = await join(site.address, ALLOWED)
    await live(one)
    await waitFor('nobody listens', () => one.pushes.telling === 'no')
    await site.servers[0]!.command('CONFIG', 'RESETSTAT')
    await everyWrite(one)
    const ran = await commandsRun()
    expect(seen).toEqual([])
    expect(ran.has('publish')).toBe(false)
    expect(ran.get('unlink')).toBeGreaterThan(0)
    expect(one.warnings).toEqual([])
  })

  it('publishes nothing but names of keys', async () => {
    const seen = await published()
    const one = await join(site.address, REFUSED)
    await live(one)
    await everyWrite(one)
    const names = /^vextrus@changes vextrus(:|@tags$|@tags:(clear|published)$|@wake:)/
    await waitFor('the clear is seen', () => seen.includes('vextrus@changes vextrus@tags:clear'))
    expect(seen.filter((text) => !names.test(text))).toEqual([])
    expect(one.warnings).toHaveLength(1)
  })

  it('where only some may track: those that may publish as long as another one listens, and begin when it comes (R23)', async () => {
    const tracking = await join(site.address, ALLOWED)
    await live(tracking)
    await waitFor('nobody listens', () => tracking.pushes.telling === 'no')
    const refused = await join(site.address, REFUSED)
    await waitFor('it publishes', () => tracking.pushes.telling === 'try')
    await live(refused)
    expect(tracking.warnings).toHaveLength(1)
    await tracking.cache.set('k', 1)
    for (const [i, [writer, reader]] of (
      [
        [tracking, refused],
        [refused, tracking],
      ] as const
    ).entries()) {
      await holds(reader, 'k')
      await writer.cache.set('k', 2 + i)
      await expect.poll(() => reader.cache.get('k'), SOON).toBe(2 + i)
    }
    const newcomer = await join(site.address, ALLOWED)
    await live(newcomer)
    await waitFor('it was answered', () => newcomer.warnings.length > 0)
    expect(newcomer.pushes.telling).toBe('try')
  })

  it('is asked again: once it allows tracking a new epoch begins, and nothing is published any more', async () => {
    const user = { username: 'later', password: 'secret' }
    const server = site.servers[0]!
    await server.command('ACL', 'SETUSER', 'later', 'on', '>secret', ...(await documentedAclRule()), '-client|tracking')
    const one = await join(site.address, user)
    await live(one)
    const { epoch } = one.pushes
    await server.command('ACL', 'SETUSER', 'later', '+client|tracking')
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await waitFor('nobody listens', () => one.pushes.telling === 'no')
    expect(one.pushes.mode).toBe('tracking')
    expect(one.pushes.epoch).toBeGreaterThan(epoch)
  })

  it('a session that is cut ends the epoch, and L1 is empty', async () => {
    const one = await join(site.address, REFUSED)
    await live(one)
    await one.cache.set('k', 1)
    await holds(one, 'k')
    one.heard.length = 0
    await site.servers[0]!.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await waitFor('the reset', () => one.heard.some((text) => text.startsWith('reset')))
    expect([one.pushes.live, one.pushes.epoch]).toEqual([false, 0])
    expect((await one.cache.lookup('k')).level).toBe('l2')
    await live(one)
  })

  it('half open: no hit is older than the staleness (R18)', async () => {
    const proxy = await TcpProxy.to(site.servers[0]!.port)
    undo.push(() => proxy.stop())
    const one = await join({ host: '127.0.0.1', port: proxy.port }, REFUSED)
    const other = await join(site.address, REFUSED)
    await Promise.all([live(one), live(other)])
    await other.cache.set('k', 1)
    await holds(one, 'k')
    // What subscribed is held, and the data connection goes on.
    proxy.hold('SUBSCRIBE')
    await other.cache.set('k', 2)
    const acknowledged = performance.now()
    let oldest = -Infinity
    await waitFor('the new value', async () => {
      const began = performance.now()
      if ((await one.cache.get('k')) === 2) return true
      oldest = began
      return false
    })
    expect(oldest - acknowledged).toBeLessThan(STALENESS_MS)
    proxy.release()
    await live(one)
  })

  it.each([
    ['all are refused', [REFUSED, REFUSED, REFUSED]],
    ['one may track', [REFUSED, ALLOWED, REFUSED]],
  ])(
    '%s: whatever they write and lose, no hit is older than the staleness, and at rest all agree (P2)',
    async (_, users) => {
      const fleet = await Promise.all(users.map((user) => join(site.address, user)))
      await Promise.all(fleet.map(live))
      const random = new SeededRandom(7)
      const keys = ['a', 'b', 'c', 'd', 'e']
      const truth = new Map(keys.map((key) => [key, 0]))
      const acknowledged: { key: string; version: number; at: number }[] = []
      const violations: string[] = []
      const running = new AbortController()

      const write = async ({ cache }: Process, key: string): Promise<void> => {
        while (!running.signal.aborted) {
          const version = truth.get(key)! + 1
          truth.set(key, version)
          // What rejects is made later: it counts from the next one on that is acknowledged.
          const done = random.int(2) === 0 ? cache.delete(key) : cache.invalidateByTag(`tag-${key}`)
          await done.then(
            () => acknowledged.push({ key, version, at: performance.now() }),
            () => undefined,
          )
          await new Promise((resolve) => setTimeout(resolve, random.int(2 * STALENESS_MS)))
        }
      }
      const read = async ({ cache }: Process): Promise<void> => {
        while (!running.signal.aborted) {
          const key = keys[random.int(keys.length)]!
          const began = performance.now()
          const value = await cache.getOrSet(key, async () => truth.get(key)!, { tags: [`tag-${key}`] })
          const due = acknowledged.findLast((each) => each.key === key && each.at <= began - STALENESS_MS)?.version ?? 0
          if (value < due) violations.push(`${key}: ${value} was answered when ${due} was due`)
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      const hits = async (many: number, forMs: number): Promise<void> => {
        const begun = performance.now()
        for (const { cache } of fleet) cache.resetStatistics()
        const enough = () => fleet.every(({ cache }) => cache.getStatistics().l1.hits > many)
        await waitFor('all have hits', () => enough() && performance.now() > begun + forMs, 30_000)
      }
      const lose = async (): Promise<void> => {
        await hits(20, 0)
        await site.servers[0]!.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await waitFor('it is noticed', () => fleet.every(({ pushes }) => !pushes.live))
        await Promise.all(fleet.map(live))
        await hits(20, 3 * STALENESS_MS)
        running.abort()
      }
      const writers = keys.map((key, i) => write(fleet[i % fleet.length]!, key))
      await Promise.all([...writers, ...fleet.map(read), lose()])
      expect(violations).toEqual([])
      for (const { cache } of fleet) {
        for (const key of keys) {
          const settled = () => cache.getOrSet(key, async () => truth.get(key)!, { tags: [`tag-${key}`] })
          await expect.poll(settled, SOON).toBe(truth.get(key))
        }
      }
    },
  )

  it('a user that may not publish either: writes are as ever, and nothing is near', async () => {
    const user = { username: 'mute', password: 'secret' }
    const rule = [...(await documentedAclRule()), '-client|tracking', '-publish']
    await site.servers[0]!.command('ACL', 'SETUSER', 'mute', 'on', '>secret', ...rule)
    const one = await join(site.address, user)
    await waitFor('both warnings', () => one.warnings.length === 2)
    expect(one.warnings[1]).toMatch(/\+publish.*&vextrus@changes/)
    await everyWrite(one)
    await one.cache.set('k', 1)
    expect((await one.cache.lookup('k')).level).toBe('l2')
    expect((await one.cache.lookup('k')).level).toBe('l2')
    expect([one.pushes.live, one.pushes.telling]).toEqual([false, 'try'])
  })

  it('a write that can no longer be told has failed, and says what to allow', async () => {
    const user = { username: 'revoked', password: 'secret' }
    const server = site.servers[0]!
    await server.command(
      'ACL',
      'SETUSER',
      'revoked',
      'on',
      '>secret',
      ...(await documentedAclRule()),
      '-client|tracking',
    )
    const one = await join(site.address, user)
    await live(one)
    await server.command('ACL', 'SETUSER', 'revoked', '-publish')
    const failure = await one.cache.delete('k').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(CacheUnavailableError)
    expect(String((failure as Error).message)).toMatch(/\+publish and the channel &vextrus@changes/)
    await server.command('ACL', 'SETUSER', 'revoked', '+publish')
    await waitFor('what was pending is made', () => one.cache.getStatistics().pending === 0)
  })
})
