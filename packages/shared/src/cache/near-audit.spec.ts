import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeldStore } from '../../test/support/delivery-store.js'
import { HeldPushes } from '../../test/support/held-pushes.js'
import { ManualPushes } from '../../test/support/manual-pushes.js'
import { idle, MemoryWorld } from '../../test/support/memory-world.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { RedisCacheService } from './cache.js'
import type { PushSource } from './cache-store.js'
import { cacheStaleHit } from './near-audit.js'
import type { NearOptions } from './near-options.js'
import type { AuditStatistics } from './statistics.js'
import { MemoryCacheStore } from './stores/memory.js'

let world: MemoryWorld
let other: RedisCacheService
let pushes: HeldPushes
let warnings: string[]
let told: { key: string; ageMs: number }[]
let undo: () => void

beforeEach(() => {
  world = new MemoryWorld()
  other = world.process().cache
  pushes = new HeldPushes(world.space, () => world.clock.mono())
  warnings = []
  told = []
  undo = cacheStaleHit.subscribe((event) => told.push(event))
})
afterEach(() => undo())

/** A process whose hits of L1 are all compared. */
function audited(l1: NearOptions = {}, source: PushSource = pushes) {
  const store = new HeldStore(new MemoryCacheStore(world.hub), source)
  const logger = { debug: () => undefined, warn: (message: string) => void warnings.push(message) }
  const options = { jitter: 0, l1: { audit: { sample: 1 }, ...l1 } }
  const cache = new RedisCacheService(store, options, { clock: world.clock, random: new SeededRandom(7), logger })
  return { cache, store, audit: () => cache.getStatistics().audit }
}

/** The same, with an entry in L1. */
async function keeping(key = 'k', tags: string[] = [], ...rest: Parameters<typeof audited>) {
  const process = audited(...rest)
  await other.set(key, 'old', { tags, ttl: 60 })
  await process.cache.get(key)
  expect((await process.cache.lookup(key)).level).toBe('l1')
  await idle()
  process.cache.resetStatistics()
  process.store.sent.length = 0
  return process
}

const nothingStale = { '≤1': 0, '≤5': 0, '≤20': 0, '≤100': 0, '≤500': 0, '≤staleness': 0, '>staleness': 0 }

function counts(some: Partial<AuditStatistics>): AuditStatistics {
  const none = { sampled: 0, compared: 0, skipped: 0, fresh: 0, stale: nothingStale, violations: 0 }
  return { ...none, ...some }
}

describe('the audit of L1', () => {
  it('is off, and says nothing, unless it is asked for', async () => {
    const { cache, store, audit } = await keeping('k', [], { audit: false })
    await cache.get('k')
    await idle()
    expect([audit(), store.sent]).toEqual([undefined, []])
    expect(cache.getStatistics()).not.toHaveProperty('audit')
  })

  it('finds a hit fresh when the store has the very entry, and counts it in no other statistics', async () => {
    const { cache, store, audit } = await keeping()
    expect(await cache.get('k')).toBe('old')
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, fresh: 1 }))
    expect(store.sent).toEqual(['read'])
    expect(cache.getStatistics()).toMatchObject({ hits: 1, l1: { hits: 1, misses: 0 }, l2: { hits: 0, misses: 0 } })
  })

  it('compares the share that was asked for', async () => {
    const { cache, audit } = await keeping('k', [], { audit: { sample: 0.25 } })
    for (let i = 0; i < 400; i++) {
      await cache.get('k')
      await idle()
    }
    expect(audit()!.sampled).toBeGreaterThan(60)
    expect(audit()!.sampled).toBeLessThan(140)
    expect(audit()!.fresh).toBe(audit()!.sampled)
  })

  it('does not make the hit wait, whatever the store does', async () => {
    const { cache, store, audit } = await keeping()
    store.hold('read')
    expect(await cache.get('k')).toBe('old')
    await idle()
    expect(store.count('read')).toBe(1)
    expect(audit()).toEqual(counts({ sampled: 1 }))
  })
})

describe('a hit that a write has overtaken', () => {
  it.each([
    ['deleted', () => other.delete('k')],
    ['replaced', () => other.set('k', 'new')],
    ['touched', () => other.touch('k', 90)],
    ['cleared', () => other.clear()],
    ['invalidated by its tag', () => other.invalidateByTag('t')],
  ])('is stale until the push is here: %s', async (_, write) => {
    const { cache, audit } = await keeping('k', ['t'])
    pushes.hold()
    await world.clock.advance(10)
    await write()
    expect(await cache.get('k')).toBe('old')
    await world.clock.advance(4)
    expect(audit()).toEqual(counts({ sampled: 1 }))
    pushes.release()
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, stale: { ...nothingStale, '≤5': 1 } }))
    expect([told, warnings]).toEqual([[], []])
  })

  it.each([
    [1, '≤1'],
    [2, '≤5'],
    [20, '≤20'],
    [99, '≤100'],
    [500, '≤500'],
    [700, '≤staleness'],
  ])('is counted by its age: %d ms', async (ms, age) => {
    const { cache, audit } = await keeping()
    pushes.hold()
    await other.delete('k')
    await cache.get('k')
    await world.clock.advance(ms)
    pushes.release()
    await idle()
    expect(audit()!.stale).toEqual({ ...nothingStale, [age]: 1 })
  })

  const invalidations: [string, (by: RedisCacheService) => Promise<unknown>][] = [
    ['a delete', (by) => by.delete('k')],
    ['a pattern', (by) => by.deleteByPattern('k*')],
    ['a tag', (by) => by.invalidateByTag('t')],
    ['a clear', (by) => by.clear()],
  ]

  it.each(invalidations)('was stale until the push, however late the store answers: %s', async (_, invalidate) => {
    const { cache, store, audit } = await keeping('k', ['t'])
    store.hold('read')
    await cache.get('k')
    const reading = await store.next('read')
    await world.clock.advance(3)
    await invalidate(other)
    await world.clock.advance(100)
    reading.deliver()
    await idle()
    expect(audit()!.stale).toEqual({ ...nothingStale, '≤5': 1 })
  })

  it.each(invalidations)('was stale until this process made the change itself: %s', async (_, invalidate) => {
    const { cache, store, audit } = await keeping('k', ['t'])
    pushes.hold()
    store.hold('read')
    await cache.get('k')
    const reading = await store.next('read')
    await world.clock.advance(3)
    await invalidate(cache)
    await world.clock.advance(100)
    reading.deliver()
    pushes.release()
    await idle()
    expect(audit()!.stale).toEqual({ ...nothingStale, '≤5': 1 })
  })

  it('was stale until the lease ended where no push and no barrier comes through', async () => {
    const { cache, audit } = await keeping('k', [], { staleness: 600 })
    pushes.hold()
    await other.delete('k')
    await world.clock.advance(90)
    expect(await cache.get('k')).toBe('old')
    await world.clock.advance(1_000)
    expect(audit()).toEqual(counts({ sampled: 1 }))
    pushes.release()
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, stale: { ...nothingStale, '≤staleness': 1 } }))
  })
})

describe('a hit whose invalidation was lost', () => {
  it('is a violation, told each time and logged once', async () => {
    const { cache, audit } = await keeping()
    await world.clock.advance(1)
    pushes.losing = 1
    await other.set('k', 'new')
    await world.clock.advance(10)
    expect(await cache.get('k')).toBe('old')
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, violations: 1 }))
    expect(told).toEqual([{ key: 'k', ageMs: 0 }])
    expect(warnings).toEqual([expect.stringMatching(/^l1\.audit: a hit of 'k' .*`l1: false`/)])
    expect(await cache.get('k')).toBe('new')
  })

  it.each([
    ['a delete', () => other.delete('k')],
    ['a tag', () => other.invalidateByTag('t')],
  ])('is a violation when the staleness is over, where the store has nothing else: %s', async (_, invalidate) => {
    const { cache, audit } = await keeping('k', ['t'])
    pushes.losing = 1
    await invalidate()
    expect(await cache.get('k')).toBe('old')
    await world.clock.advance(1_990)
    expect(audit()).toEqual(counts({ sampled: 1 }))
    await world.clock.advance(50)
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, violations: 1 }))
    expect(told).toEqual([{ key: 'k', ageMs: expect.closeTo(2_020, -2) as number }])
    expect(await cache.get('k')).toBeNull()
  })

  it('is none where it is told a little after what it removed', async () => {
    const { cache, audit } = await keeping()
    pushes.losing = 1
    await other.delete('k')
    await cache.get('k')
    await world.clock.advance(70)
    await other.delete('k')
    await idle()
    await world.clock.advance(20)
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, stale: { ...nothingStale, '≤100': 1 } }))
  })

  it('is found again for another key, and not logged again', async () => {
    const { cache, audit } = await keeping()
    for (const key of ['a', 'b']) {
      await other.set(key, 'old')
      await cache.get(key)
      await world.clock.advance(1)
      pushes.losing = 1
      await other.set(key, 'new')
      expect(await cache.get(key)).toBe('old')
      await idle()
    }
    expect(audit()!.violations).toBe(2)
    expect([told.map(({ key }) => key), warnings.length]).toEqual([['a', 'b'], 1])
  })

  it('is a violation also when L1 had to ask the clock in between, for another tag', async () => {
    const { cache, store, audit } = await keeping('k', ['t'])
    store.hold('read')
    await cache.get('k')
    const reading = await store.next('read')
    await other.invalidateByTag('unrelated')
    const again = cache.get('k')
    ;(await store.next('read')).deliver()
    expect(await again).toBe('old')
    pushes.losing = 1
    await other.invalidateByTag('t')
    store.pass('read')
    reading.deliver()
    await world.clock.advance(2_050)
    expect(audit()).toMatchObject({ sampled: 2, violations: 2 })
  })

  it('is a violation when it is answered later than the staleness after, and nobody says whether all was told', async () => {
    const silent = new ManualPushes()
    silent.told = false
    const { cache, audit } = await keeping('k', [], { staleness: 400 }, silent)
    await world.clock.advance(1)
    await other.set('k', 'new')
    await cache.get('k')
    await world.clock.advance(390)
    expect(audit()).toEqual(counts({ sampled: 1 }))
    await world.clock.advance(50)
    expect(audit()).toEqual(counts({ sampled: 1, compared: 1, violations: 1 }))
  })
})

describe('a hit of which nobody can tell', () => {
  it('is skipped when the store gives no answer, which is no error of an operation', async () => {
    const { cache, store, audit } = await keeping()
    store.hold('read')
    await cache.get('k')
    ;(await store.next('read')).giveUp()
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, skipped: 1 }))
    expect(cache.getStatistics().errors).toBe(0)
  })

  it('is skipped while a hold stands', async () => {
    const { cache, audit } = await keeping()
    pushes.hold()
    await other.invalidateAround({ keys: ['k'] }, async () => {
      expect(await cache.get('k')).toBe('old')
      await idle()
    })
    expect(audit()).toEqual(counts({ sampled: 1, skipped: 1 }))
  })

  it('is skipped when the entry was about to end by itself', async () => {
    const { cache, store, audit } = await keeping()
    await world.clock.advance(59_990)
    store.hold('read')
    await cache.get('k')
    const reading = await store.next('read')
    await world.clock.advance(20)
    reading.deliver()
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, skipped: 1 }))
  })

  it('is skipped when too many are being compared', async () => {
    const { cache, store, audit } = await keeping()
    store.hold('read')
    for (let i = 0; i < 40; i++) await cache.get('k')
    expect(audit()).toEqual(counts({ sampled: 40, skipped: 8 }))
    ;(await store.next('read')).deliver()
    await idle()
    expect(audit()).toEqual(counts({ sampled: 40, compared: 32, fresh: 32, skipped: 8 }))
    await cache.get('k')
    expect(audit()!.skipped).toBe(8)
  })
})

describe('an audit that ends', () => {
  it('leaves no timer, and counts what was under way as skipped', async () => {
    const { cache, audit } = await keeping()
    pushes.hold()
    await other.delete('k')
    await cache.get('k')
    await idle()
    await cache.close()
    await idle()
    expect(audit()).toEqual(counts({ sampled: 1, skipped: 1 }))
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('starts anew with `resetStatistics`', async () => {
    const { cache, store, audit } = await keeping()
    store.hold('read')
    await cache.get('k')
    cache.resetStatistics()
    ;(await store.next('read')).deliver()
    await idle()
    expect(audit()).toEqual(counts({}))
  })
})
