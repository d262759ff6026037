import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CacheStore } from '../../src/cache/cache-store.js'
import { RedisCacheService } from '../../src/cache/cache.js'
import type { AuditStatistics } from '../../src/cache/statistics.js'
import { systemClock } from '../../src/kernel/clock.js'
import { OnDemandRedis } from '../../src/module/on-demand-redis.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { DeliveryStore } from '../support/delivery-store.js'
import { HeldPushes } from '../support/held-pushes.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

/** What only a tracking connection says. */
const TRACKING = '__redis__:invalidate'

let server: RedisServer
let proxy: TcpProxy
let undo: (() => Promise<void>)[]
let warnings: string[]

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
beforeEach(async () => {
  proxy = await TcpProxy.to(server.port)
  undo = [() => proxy.stop()]
  warnings = []
})
afterEach(async () => {
  for (const step of undo.reverse()) await step()
  await server.command('FLUSHALL')
})

/** A process on this port. `through`: what stands before its store. */
async function process(port: number, sample: number, through = (store: CacheStore): CacheStore => store) {
  const logger = { warn: (line: string) => void warnings.push(line), log: () => undefined, debug: () => undefined }
  // A write that a busy machine makes late is none, and what it should bring is waited for in vain.
  const redis = new OnDemandRedis({ host: server.host, port, commandTimeout: '10s' }, new Keyspace('vextrus:'), {
    logger,
  })
  const options = { jitter: 0, l1: { audit: { sample } } }
  const cache = new RedisCacheService(through(redis.store), options, { logger, random: new SeededRandom(3) })
  undo.push(
    () => redis.close(),
    () => cache.close(),
  )
  await redis.start()
  await waitFor('the tracking session is live', () => redis.store.pushes.live)
  return cache
}

/** What the audit has found, once it compares nothing any more. */
async function found(cache: RedisCacheService): Promise<AuditStatistics> {
  const audit = (): AuditStatistics => cache.getStatistics().audit!
  await waitFor('every comparison is over', () => audit().sampled === audit().compared + audit().skipped)
  return audit()
}

describe('the audit of L1 on Redis', () => {
  it('counts the ages of hits whose pushes come late, and no violation', async () => {
    const [reader, writer] = [await process(proxy.port, 0.2), await process(server.port, 0)]
    proxy.delay(TRACKING, 30)
    let reading = true
    const reads = (async () => {
      for (let i = 0; reading; i++) {
        await reader.getOrSet(`k:${i % 3}`, () => -1, { ttl: 60, tags: ['t'] })
        if (i % 10 === 0) await new Promise(setImmediate)
      }
    })()
    for (let version = 1; version <= 12; version++) {
      await writer.set(`k:${version % 3}`, version, { ttl: 60, tags: ['t'] })
      await waitFor('it is read', async () => (await reader.get(`k:${version % 3}`)) === version)
      if (version % 4 === 0) await writer.invalidateByTag('t')
    }
    reading = false
    await reads

    const { violations, stale, fresh, compared, sampled } = await found(reader)
    expect(violations).toBe(0)
    expect(fresh).toBeGreaterThan(0)
    expect(stale['≤20'] + stale['≤100']).toBeGreaterThan(0)
    expect(stale['>staleness']).toBe(0)
    expect(compared).toBeLessThanOrEqual(sampled)
    expect(warnings).toEqual([])
  })

  it('finds a push that was lost', async () => {
    let pushes: HeldPushes | undefined
    const reader = await process(server.port, 1, (store) => {
      pushes = new HeldPushes(store.pushes, () => systemClock.mono())
      return new DeliveryStore(store, (call) => call.deliver(), pushes)
    })
    const writer = await process(server.port, 0)
    await writer.set('k', 'old')
    await waitFor('it is in L1', async () => (await reader.lookup('k')).level === 'l1')
    await found(reader)
    reader.resetStatistics()

    pushes!.losing = 1
    await writer.set('k', 'new')
    expect(await reader.get('k')).toBe('old')
    expect(await found(reader)).toMatchObject({ sampled: 1, compared: 1, violations: 1 })
    expect(warnings).toEqual([expect.stringContaining("l1.audit: a hit of 'k'")])
    expect(await reader.get('k')).toBe('new')
  })
})
