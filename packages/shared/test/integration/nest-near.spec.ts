import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisCacheModule, type RedisCacheModuleOptions, RedisCacheService } from '../../src/module/cache-entry.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

/** What only a tracking connection says. */
const TRACKING = '__redis__:invalidate'

let server: RedisServer
let undo: (() => Promise<void>)[] = []

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
afterEach(async () => {
  for (const step of undo.reverse()) await step()
  undo = []
})

/** An application's cache. */
async function open(options: RedisCacheModuleOptions): Promise<RedisCacheService> {
  const module = await Test.createTestingModule({
    imports: [RedisCacheModule.forRoot({ commandTimeout: '2s', ...options })],
  }).compile()
  await module.init()
  undo.push(() => module.close())
  return module.get(RedisCacheService)
}

/** One whose L1 answers. */
async function boot(options: RedisCacheModuleOptions): Promise<RedisCacheService> {
  const cache = await open(options)
  await waitFor('L1 answers', async () => {
    await cache.getOrSet('warm', () => 1)
    return (await cache.lookup('warm')).level === 'l1'
  })
  return cache
}

async function pings(at = server): Promise<number> {
  const stats = String(await at.command('INFO', 'commandstats'))
  return Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

describe('the option l1.staleness of the module', () => {
  it('sets the pace of the proofs: four in its time', async () => {
    const another = await startRedis()
    undo.push(() => another.stop())
    await boot({ port: another.port })
    await boot({ port: server.port, l1: { staleness: '400ms' } })
    const [slowly, quickly] = [await pings(another), await pings()]
    await waitFor('proofs at the pace of the default, 500 ms', async () => (await pings(another)) - slowly >= 4)
    // Five for each of those, where nothing else runs.
    expect((await pings()) - quickly).toBeGreaterThanOrEqual(8)
  })

  it('bounds how old a hit is when only the tracking connection is silent, and Redis is read again then', async () => {
    const proxy = await TcpProxy.to(server.port)
    undo.push(() => proxy.stop())
    const cache = await boot({ port: proxy.port, l1: { staleness: '400ms' } })
    const writer = await open({ port: server.port, l1: false })
    let oldest: number | null = null
    // Once more where the machine was too slow to read anything in that time.
    for (let version = 1; oldest === null && version < 10; version++) {
      await writer.set('k', version)
      await waitFor('it is in L1', async () => {
        const { level, value } = await cache.lookup('k')
        return level === 'l1' && value === version
      })
      cache.resetStatistics()
      proxy.hold(TRACKING)
      await writer.set('k', version + 1)
      const acknowledgedAt = performance.now()
      await waitFor('the new value', async () => {
        const askedAt = performance.now()
        if ((await cache.get('k')) === version + 1) return true
        oldest = askedAt - acknowledgedAt
        return false
      })
      expect(cache.getStatistics()).toMatchObject({ errors: 0, loads: 0, misses: 0 })
    }
    // P2: no hit was older.
    expect(oldest).toBeLessThan(400)
    // By another session, for the held one was given up.
    await waitFor('L1 answers again', async () => (await cache.lookup('k')).level === 'l1')
  })
})
