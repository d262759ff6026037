import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RedisCacheService } from '../../src/cache/cache.js'
import type { CacheOptions } from '../../src/cache/options.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { CacheBackend, CachePair } from '../support/cache-backends.js'
import { HeldLoad } from '../support/memory-world.js'
import { waitFor } from '../support/wait-for.js'

/** How long hits last without a proof is another test's business; a busy machine must not end them here. */
const LEISURELY = { staleness: '20s' }

/**
 * What users rely on with L1, in two processes on one server.
 * @param hearsAll false: only the toolkit's own writes are told (R23)
 */
export function nearCacheContract(
  name: string,
  makeBackend: () => Promise<CacheBackend>,
  { hearsAll = true }: { hearsAll?: boolean } = {},
): void {
  describe(`L1 on ${name}`, () => {
    let backend: CacheBackend
    let pair: CachePair
    let one: RedisCacheService
    let other: RedisCacheService

    beforeAll(async () => {
      backend = await makeBackend()
    })

    let begun = false

    beforeEach(async ({ task }) => {
      if (task.suite!.name.startsWith('values') || task.name.startsWith('strict')) return
      // Where messages take the place of pushes L1 opens only after seconds: there the tests share one pair.
      if (hearsAll || !begun) return begin()
      await one.clear()
      for (const cache of [one, other]) cache.resetStatistics()
    })

    afterEach(() => {
      if (hearsAll) backend.release()
    })
    afterAll(() => backend.close())

    async function begin(options: CacheOptions = {}): Promise<void> {
      begun = true
      pair = await backend.caches({ l1: LEISURELY, ...options })
      ;({ one, other } = pair)
    }

    const levelOf = async (cache: Pick<RedisCacheService, 'lookup'>, key: string) => (await cache.lookup(key)).level

    /** The push of a write may come after the first read, which is then not kept. */
    const kept = async (key: string, ...caches: Pick<RedisCacheService, 'lookup'>[]): Promise<void> => {
      const inL1 = (cache: (typeof caches)[number]) => async () => (await levelOf(cache, key)) === 'l1'
      for (const cache of caches) await waitFor(`${key} in L1`, inL1(cache), 15_000)
    }

    /** Everything that is on its way has arrived: a write to another key is seen. */
    const told = async (): Promise<void> => {
      await one.set('told', 1)
      await kept('told', one, other)
      await one.delete('told')
      await waitFor('the delete', async () => (await other.get('told')) === null)
    }

    it('answers the first read from the store and the next ones from memory, in each process', async () => {
      await one.set('k', { a: 1 }, { tags: ['x'] })
      await told()
      expect(await levelOf(other, 'k')).toBe('l2')
      pair.store.calls.length = 0
      await kept('k', one, other)
      pair.store.calls.length = 0
      for (let i = 0; i < 5; i++) {
        expect(await one.lookup('k')).toMatchObject({ value: { a: 1 }, level: 'l1', stale: false, tags: ['x'] })
        expect(await one.get('k')).toEqual({ a: 1 })
        expect(await one.getOrSet('k', () => 'called')).toEqual({ a: 1 })
        expect(await one.has('k')).toBe(true)
        expect(await one.ttl('k')).toBeGreaterThan(200)
        expect(await one.getMany(['k', 'k'])).toEqual([{ a: 1 }, { a: 1 }])
        expect(await one.getOrSetMany([1], { key: () => 'k', load: async () => ['called'] })).toEqual([{ a: 1 }])
      }
      expect(pair.store.calls).toEqual([])
    })

    describe('is told of every write', () => {
      const writes: [string, (cache: RedisCacheService) => Promise<unknown>, unknown][] = [
        ['delete', (cache) => cache.delete('k'), null],
        ['set', (cache) => cache.set('k', 'new', { tags: ['x'] }), 'new'],
        ['setMany', (cache) => cache.setMany([{ key: 'k', value: 'new' }]), 'new'],
        ['a set of a higher version', (cache) => cache.set('k', 'new', { version: 9 }), 'new'],
        ['invalidateByTag', (cache) => cache.invalidateByTag(['z', 'x']), null],
        ['deleteByPattern', (cache) => cache.deleteByPattern('[j-l]'), null],
        ['clear', (cache) => cache.clear(), null],
        ['invalidateAround of keys', (cache) => cache.invalidateAround({ keys: ['k'] }, async () => 1), null],
        ['invalidateAround of tags', (cache) => cache.invalidateAround({ tags: ['x'] }, async () => 1), null],
      ]

      it.each(writes)('its own at once, another process’s soon, and then for good: %s', async (_, write, expected) => {
        await one.set('k', 'old', { tags: ['x'], version: 3 })
        await one.set('plain', 'stays')
        await kept('k', one, other)
        await write(one)
        expect(await one.get('k')).toBe(expected)
        await waitFor('the write', async () => (await other.get('k')) === expected)
        for (let i = 0; i < 5; i++) for (const cache of [one, other]) expect(await cache.get('k')).toBe(expected)
      })

      it('touch: both have the new lifetime', async () => {
        await one.set('k', 'v', 100)
        await kept('k', one, other)
        await one.touch('k', 1_000)
        expect(await one.ttl('k')).toBeGreaterThan(900)
        await waitFor('the new lifetime', async () => (await other.ttl('k'))! > 900)
        expect(await other.get('k')).toBe('v')
      })

      it('a set of a lower version changes nothing for anybody', async () => {
        await one.set('k', 'new', { version: 9 })
        await kept('k', one, other)
        await one.set('k', 'old', { version: 3 })
        await told()
        for (const cache of [one, other]) expect(await cache.get('k')).toBe('new')
      })

      it('of a scope’s clear, and of no other scope’s', async () => {
        const scopes = (cache: RedisCacheService) => [cache.forTenant('a'), cache.forTenant('b')] as const
        for (const scope of scopes(one)) await scope.set('product:1', 'v')
        for (const scope of [...scopes(one), ...scopes(other)]) await kept('product:1', scope)
        await one.forTenant('a').clear()
        expect(await one.forTenant('a').get('product:1')).toBeNull()
        await waitFor('the clear', async () => (await other.forTenant('a').get('product:1')) === null)
        for (const cache of [one, other]) expect(await cache.forTenant('b').get('product:1')).toBe('v')
      })

      it('also when the clock was lost in between', async () => {
        await one.set('tagged', 'old', { tags: ['x'] })
        await one.set('plain', 'old')
        await kept('tagged', one, other)
        await kept('plain', one, other)
        await backend.stores.loseClock(pair.prefix)
        await one.invalidateByTag('x')
        await one.delete('plain')
        for (const key of ['tagged', 'plain']) {
          expect(await one.get(key)).toBeNull()
          await waitFor(`the end of ${key}`, async () => (await other.get(key)) === null)
        }
      })

      it('never shows an older value after a newer one, while somebody writes on and on', async () => {
        let written = 0
        let seen = 0
        await one.set('k', 0, { tags: ['x'] })
        const writing = (async () => {
          for (let i = 1; i <= 60; i++) {
            written = i
            if (i % 3 === 0) await one.invalidateByTag('x')
            await one.set('k', i, { tags: ['x'] })
            expect(await one.get('k')).toBe(i)
            await new Promise((resolve) => setImmediate(resolve))
          }
        })()
        for (let reads = 0; seen < 60 && reads < 100_000; reads++) {
          const value = (await other.get<number>('k')) ?? seen
          expect(value).toBeGreaterThanOrEqual(seen)
          expect(value).toBeLessThanOrEqual(written)
          seen = value
          if (reads % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await writing
        await waitFor('the last value', async () => (await other.get('k')) === 60)
      })

      it.runIf(hearsAll)('of what an administrator deletes, and of what expires', async () => {
        const { command } = backend.stores
        const redisKey = new Keyspace(pair.prefix).entry('k')
        await one.set('k', 'v')
        await kept('k', one, other)
        if (command === null) await backend.stores.elapse(301_000)
        else await command(redisKey, 'DEL', redisKey)
        for (const cache of [one, other]) await waitFor('its end', async () => (await cache.get('k')) === null)
        expect(await one.getMany(['k'])).toEqual([null])
      })
    })

    describe('under a hold', () => {
      it.each([
        ['a key', { keys: ['k'] }],
        ['a tag', { tags: ['x'] }],
      ])('of %s answers nothing from memory while it stands, in any process', async (_, targets) => {
        await one.set('k', 'old', { tags: ['x'] })
        await kept('k', one, other)
        let inside: unknown
        await one.invalidateAround(targets, async () => {
          inside = await one.get('k')
          await waitFor('the hold', async () => (await other.get('k')) === null)
          for (let i = 0; i < 3; i++) {
            expect(await levelOf(other, 'k')).toBeNull()
            expect(await other.getOrSet('k', () => `loaded ${i}`, { tags: ['x'] })).toBe(`loaded ${i}`)
          }
        })
        expect(inside).toBeNull()
        expect(await other.getOrSet('k', () => 'new', { tags: ['x'] })).toBe('new')
      })
    })

    describe('a call', () => {
      it('with l1: false neither asks it nor fills it', async () => {
        await one.set('k', 'v')
        await told()
        for (let i = 0; i < 2; i++) {
          pair.store.calls.length = 0
          expect(await one.getOrSet('k', () => 'called', { l1: false })).toBe('v')
          expect(pair.store.calls).toEqual(['read'])
        }
        expect(await levelOf(one, 'k')).toBe('l2')
      })

      it.each<[string, (cache: RedisCacheService, l1: false | { ttl: string }) => Promise<unknown>]>([
        ['set', (cache, l1) => cache.set('k', 'v', { l1 })],
        ['setMany', (cache, l1) => cache.setMany([{ key: 'k', value: 'v' }], { l1 })],
        ['getOrSet', (cache, l1) => cache.getOrSet('k', () => 'v', { l1 })],
        ['getOrSetMany', (cache, l1) => cache.getOrSetMany([1], { key: () => 'k', load: async () => ['v'], l1 })],
      ])('that writes says for every process how long it is kept: %s', async (_, write) => {
        await write(one, false)
        await waitFor('the entry', () => other.has('k'))
        await told()
        for (let i = 0; i < 3; i++) {
          for (const cache of [one, other]) expect(await cache.lookup('k')).toMatchObject({ value: 'v', level: 'l2' })
        }
        await one.delete('k')
        await write(one, { ttl: '200ms' })
        await waitFor('the entry', () => other.has('k'))
        await kept('k', other)
        await backend.stores.elapse(205)
        expect(await levelOf(other, 'k')).toBe('l2')
      })
    })

    describe.runIf(hearsAll)('values', () => {
      const value = {
        ...{ text: 'ü🙂', at: new Date(5), none: undefined, big: 10n, list: [1, [NaN, { a: -0 }]] },
        ...{ map: new Map<unknown, unknown>([['a', { b: new Set([1]) }]]), bytes: Buffer.from([0, 255]) },
      }
      const kinds: [string, CacheOptions][] = [
        ['json', {}],
        ['msgpack', { serializer: 'msgpack' }],
        ['compressed', { compression: { threshold: 1, algorithm: 'gzip' } }],
        ['encrypted', { encryption: { keys: [{ id: 'a', secret: Buffer.alloc(32, 1) }] } }],
      ]
      const modes = ['copy', 'frozen', 'shared'] as const

      const each = kinds.map(([kind, options], i) => [kind, modes[i % 3]!, options] as const)

      it.each([...each, ['json', 'frozen', {}] as const, ['json', 'shared', {}] as const])(
        'come back as they went in: %s, %s',
        async (_, values, options) => {
          await begin({ l1: { ...LEISURELY, values }, ...options })
          await one.set('k', value)
          await one.set('plain', { a: [{ b: 1 }] })
          await one.set('null', null)
          for (const key of ['k', 'plain', 'null']) await kept(key, other)
          for (let i = 0; i < 3; i++) {
            const answer = await other.lookup('k')
            expect(answer).toMatchObject({ level: 'l1' })
            expect(answer.value).toStrictEqual(value)
            expect(await other.getMany(['plain', 'null'])).toEqual([{ a: [{ b: 1 }] }, null])
            expect(await other.lookup('null')).toMatchObject({ hit: true, value: null, level: 'l1' })
          }
        },
      )

      it('of a serializer’s own classes are read anew for each hit', async () => {
        class Money {
          constructor(readonly amount: number) {}
        }
        await begin({
          l1: LEISURELY,
          serializer: {
            serialize: (money) => String((money as Money).amount),
            deserialize: (data) => new Money(Number(data)),
          },
        })
        await one.set('k', new Money(5))
        await kept('k', other)
        const [first, second] = [await other.get<Money>('k'), await other.get<Money>('k')]
        for (const answer of [first, second]) expect(answer).toEqual(new Money(5))
        expect(first).toBeInstanceOf(Money)
        expect(first).not.toBe(second)
      })

      it('of another program never enter L1', async () => {
        await begin()
        const { command } = backend.stores
        if (command === null) return expect(backend.stores.server).toBeNull()
        const redisKey = new Keyspace(pair.prefix).entry('k')
        await command(redisKey, 'SET', redisKey, '{"a":1}', 'EX', '60')
        for (let i = 0; i < 3; i++) expect(await one.lookup('k')).toMatchObject({ value: { a: 1 }, level: 'l2' })
        await command(redisKey, 'DEL', redisKey)
        expect(await one.get('k')).toBeNull()
      })
    })

    describe('when the store is away', () => {
      it('answers what it has while it is told of writes, and nothing whose tags may have moved', async () => {
        await one.set('k', 'v')
        await one.set('tagged', 'v', { tags: ['x'] })
        await kept('k', one)
        await kept('tagged', one)
        pair.store.away = true
        expect(await one.get('k')).toBe('v')
        await other.invalidateByTag('x')
        await waitFor('the push', async () => (await one.get('tagged')) === null)
        expect(await one.get('k')).toBe('v')
        await expect(one.delete('k')).rejects.toMatchObject({ pending: true })
        expect(await one.get('k')).toBeNull()
        pair.store.away = false
        await waitFor('the replay', async () => {
          await backend.stores.elapse(50)
          return (await other.get('k')) === null
        })
        await waitFor('the store', async () => one.getStatistics().pending === 0)
      })
    })

    describe('a slow load', () => {
      it('that an invalidation overtakes leaves nothing old in any L1', async () => {
        const load = new HeldLoad<string>()
        const loading = one.getOrSet('k', load.load, { tags: ['x'] })
        await waitFor('the load', () => load.calls === 1)
        await other.invalidateByTag('x')
        load.answer('old')
        expect(await loading).toBe('old')
        await told()
        for (const cache of [one, other]) expect(await cache.get('k')).toBeNull()
      })
    })

    it('strict answers nothing older than what was acknowledged before the read', async () => {
      await begin({ l1: { staleness: 'strict' } })
      for (let i = 0; i < 40; i++) {
        await one.set('k', i, { tags: ['x'] })
        expect(await other.get('k')).toBe(i)
        expect(await other.get('k')).toBe(i)
        if (i % 4 === 0) {
          await one.invalidateByTag('x')
          expect(await other.get('k')).toBeNull()
        }
      }
      await kept('k', other)
      await one.delete('k')
      expect(await other.get('k')).toBeNull()
      expect(other.getStatistics().l1.hits).toBeGreaterThan(0)
    })

    it('is told apart in the statistics', async () => {
      await one.set('user:1', 'v')
      await kept('user:1', other)
      other.resetStatistics()
      for (let i = 0; i < 3; i++) await other.get('user:1')
      await other.get('user:2')
      expect(other.getStatistics()).toMatchObject({
        ...{ hits: 3, misses: 1, hitRate: 75, l1: { hits: 3, misses: 1 }, l2: { hits: 0, misses: 1 } },
        groups: { user: { hits: 3, misses: 1, hitRate: 75 } },
      })
      expect(other.getStatistics().bytes).toBeGreaterThan(0)
      await other.close()
      expect(other.getStatistics().bytes).toBe(0)
    })
  })
}
