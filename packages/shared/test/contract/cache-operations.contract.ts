import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RedisCacheService } from '../../src/cache/cache.js'
import { CacheUnavailableError, SensitiveDataError, TenantKeyError } from '../../src/cache/errors.js'
import type { GetOrSetOptions } from '../../src/cache/public-types.js'
import { runAsTenant, runGlobal } from '../../src/cache/tenancy.js'
import { cacheNotStored } from '../../src/cache/values.js'
import { ConfigurationError, InvalidKeyError } from '../../src/kernel/errors.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { CacheBackend, CachePair } from '../support/cache-backends.js'
import { HeldLoad } from '../support/memory-world.js'
import { waitFor } from '../support/wait-for.js'
import { impatientLoads } from './cache-loads.contract.js'

/** Patterns, holds, versions, grace, scopes and guards, seen by two processes on one server. */
export function cacheOperationsContract(name: string, makeBackend: () => Promise<CacheBackend>): void {
  describe(`the cache on ${name}`, () => {
    let backend: CacheBackend
    let pair: CachePair
    let one: RedisCacheService
    let other: RedisCacheService

    beforeAll(async () => {
      backend = await makeBackend()
    })

    beforeEach(async () => {
      pair = await backend.caches()
      ;({ one, other } = pair)
    })

    afterEach(() => backend.release())
    afterAll(() => backend.close())

    const filled = (key: string, cache = other): Promise<void> => waitFor(`the fill of ${key}`, () => cache.has(key))

    describe('deleteByPattern (R12)', () => {
      it('removes what matches and nothing else, and answers how many', async () => {
        const keys = ['product:t1:1', 'product:t1:2', 'product:t2:1', 'products', 'order:t1:1', 'x{product:t1:}y']
        await one.setMany(keys.map((key) => ({ key, value: key })))
        expect(await other.deleteByPattern('product:t1:*')).toBe(2)
        const left = await one.getMany(keys)
        expect(left).toEqual([null, null, ...keys.slice(2)])
        expect(await one.deleteByPattern('nothing*')).toBe(0)
      })

      it('refuses what is being loaded for a key that matches, also where there is no entry', async () => {
        const load = new HeldLoad<string>()
        const loading = one.getOrSet('product:t1:9', load.load)
        await waitFor('the load', () => load.calls === 1)
        expect(await other.deleteByPattern('product:t1:*')).toBe(0)
        load.answer('old')
        expect(await loading).toBe('old')
        expect(await one.getOrSet('product:t1:9', () => 'new')).toBe('new')
      })

      it('refuses what can’t be a pattern', async () => {
        await expect(one.deleteByPattern('')).rejects.toThrow(InvalidKeyError)
        await expect(one.deleteByPattern('a\nb')).rejects.toThrow(InvalidKeyError)
      })
    })

    describe('invalidateAround (R13)', () => {
      it('answers what the work answers, and afterwards keys and tags are gone', async () => {
        await one.setMany([
          { key: 'k', value: 1 },
          { key: 'tagged', value: 2, tags: ['x'] },
          { key: 'free', value: 3 },
        ])
        expect(await other.invalidateAround({ keys: ['k'], tags: ['x'] }, async () => 'done')).toBe('done')
        expect(await one.getMany(['k', 'tagged', 'free'])).toEqual([null, null, 3])
      })

      it('lets nobody read or store the targets while the work is under way', async () => {
        await one.setMany([
          { key: 'k', value: 'old' },
          { key: 'tagged', value: 'old', tags: ['x'] },
        ])
        await one.invalidateAround({ keys: ['k'], tags: ['x'] }, async () => {
          for (const cache of [one, other]) {
            expect(await cache.getMany(['k', 'tagged'])).toEqual([null, null])
            expect(await cache.getOrSet('k', () => 'from the origin')).toBe('from the origin')
            expect(await cache.getOrSet('tagged', () => 'from the origin', { tags: ['x'] })).toBe('from the origin')
          }
        })
        expect(await other.getOrSet('k', () => 'new')).toBe('new')
        expect(await other.getOrSet('tagged', () => 'new', { tags: ['x'] })).toBe('new')
        await filled('k', one)
        await filled('tagged', one)
      })

      it('refuses the fill of a load that began before it, however late', async () => {
        const load = new HeldLoad<string>()
        const loading = other.getOrSet('k', load.load)
        await waitFor('the load', () => load.calls === 1)
        await one.invalidateAround({ keys: ['k'] }, async () => undefined)
        load.answer('old')
        expect(await loading).toBe('old')
        expect(await one.getOrSet('k', () => 'new')).toBe('new')
      })

      it('invalidates also when the work throws, whose error is the outcome', async () => {
        await one.set('k', 1)
        const failing = one.invalidateAround({ keys: ['k'] }, () => Promise.reject(new Error('rolled back')))
        await expect(failing).rejects.toThrow('rolled back')
        expect(await other.get('k')).toBeNull()
      })

      it('does not begin the work without the hold, and returns its result when only the last step fails', async () => {
        const work = vi.fn(async () => 'committed')
        pair.store.away = true
        await expect(one.invalidateAround({ keys: ['k'] }, work)).rejects.toThrow(CacheUnavailableError)
        expect(work).not.toHaveBeenCalled()
        pair.store.away = false
        await waitFor('the store', () => one.has('k').then(() => true))
        work.mockImplementation(async () => {
          pair.store.away = true
          return 'committed'
        })
        expect(await one.invalidateAround({ keys: ['k'] }, work)).toBe('committed')
        expect(one.getStatistics().pending).toBeGreaterThan(0)
        expect(await other.getOrSet('k', () => 'loaded')).toBe('loaded')
        expect(await other.has('k')).toBe(false)
        pair.store.away = false
        await waitFor('the repetition', async () => {
          await backend.stores.elapse(60)
          return one.getStatistics().pending === 0
        })
        await other.getOrSet('k', () => 'loaded')
        await filled('k')
      })

      it('finds room where only holds of processes that died are in the way, although nobody has read since', async () => {
        const keys = Array.from({ length: 60 }, (_, i) => `k${i}`)
        const begun = vi.fn(() => new Promise<never>(() => undefined))
        void one.invalidateAround({ keys }, begun, { hold: 1_500 })
        await waitFor('the work', () => begun.mock.calls.length === 1)
        pair.store.away = true
        const work = vi.fn(async () => 'done')
        await expect(other.invalidateAround({ keys }, work)).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
        await backend.stores.elapse(1_700)
        expect(await other.invalidateAround({ keys }, work)).toBe('done')
        expect(work).toHaveBeenCalledTimes(1)
      })

      it('counts each error of the store once, and none of the work', async () => {
        await expect(
          one.invalidateAround({ keys: ['k'] }, () => Promise.reject(new CacheUnavailableError('of another cache'))),
        ).rejects.toThrow('of another cache')
        expect(one.getStatistics().errors).toBe(0)
        pair.store.away = true
        await expect(one.invalidateAround({ keys: ['k'] }, () => 1)).rejects.toThrow(CacheUnavailableError)
        expect(one.getStatistics().errors).toBe(1)
      })

      it('refuses targets that can’t be held', async () => {
        const work = vi.fn(async () => undefined)
        const keys = Array.from({ length: 101 }, (_, i) => `k${i}`)
        await expect(one.invalidateAround({ keys }, work)).rejects.toThrow(ConfigurationError)
        await expect(one.invalidateAround({ keys: [''] }, work)).rejects.toThrow(InvalidKeyError)
        await expect(one.invalidateAround({ keys: ['k'] }, work, { hold: 1_000, replicaLag: 900 })).rejects.toThrow(
          ConfigurationError,
        )
        expect(work).not.toHaveBeenCalled()
      })
    })

    describe('a version (R14)', () => {
      it('lets no older value replace a newer one, in whatever order they come', async () => {
        await one.set('k', 'v2', { version: 2 })
        await other.set('k', 'v1', { version: 1 })
        expect(await one.get('k')).toBe('v2')
        await other.set('k', 'v10', { version: 10n })
        expect(await one.get('k')).toBe('v10')
        await one.set('k', 'again', { version: 10 })
        expect(await other.get('k')).toBe('again')
      })

      it('may be a Date, or a number that a double can not hold', async () => {
        await one.set('d', 'new', { version: new Date('2031-01-02') })
        await one.set('d', 'old', { version: new Date('2031-01-01') })
        expect(await one.get('d')).toBe('new')
        await one.set('b', 'new', { version: 9_007_199_254_740_993n })
        await one.set('b', 'old', { version: 9_007_199_254_740_992n })
        expect(await one.get('b')).toBe('new')
      })

      it('refuses what is older also to who has not heard of a clear, and whatever else is written with it', async () => {
        await one.get('k')
        await other.clear()
        await other.get('k')
        await other.set('k', 'v2', { version: 2 })
        await one.set('k', 'v1', { version: 1 })
        expect(await other.get('k')).toBe('v2')
        await other.clear()
        await one.setMany([
          { key: 'k', value: 'v4', version: 4 },
          { key: 'k', value: 'v3', version: 3 },
        ])
        expect(await other.get('k')).toBe('v4')
      })

      it('does not refuse what comes after the key was deleted, the cache cleared, or without a version', async () => {
        await one.set('k', 'v5', { version: 5 })
        await one.delete('k')
        await one.set('k', 'v4', { version: 4 })
        expect(await one.get('k')).toBe('v4')
        await other.clear()
        await one.set('k', 'v3', { version: 3 })
        expect(await one.get('k')).toBe('v3')
        await one.set('k', 'any')
        expect(await other.get('k')).toBe('any')
      })

      it.each([-1, 1.5, NaN, 2 ** 53, -1n, new Date(NaN)])('that is none is refused: %s', async (version) => {
        await expect(one.set('k', 1, { version })).rejects.toMatchObject({ option: 'version' })
      })
    })

    describe('grace (R15)', () => {
      const options = { ttl: '40ms', grace: '1m' }

      /** A refresh that can't ask for its lease in time is left to the next read. */
      const refreshing = (cache: RedisCacheService, load: HeldLoad<string>, settings: GetOrSetOptions<string>) =>
        waitFor('the refresh', async () => {
          expect(await cache.getOrSet('k', load.load, settings)).toBe('old')
          return load.calls === 1
        })

      it('serves a stale value at once, while one process loads it anew', async () => {
        await one.set('k', 'old', options)
        await backend.stores.elapse(60)
        expect(await one.lookup('k')).toMatchObject({ hit: true, value: 'old', stale: true, ttlMs: 0 })
        const load = new HeldLoad<string>()
        const anew = { ttl: '1m', grace: '1m' }
        const answers = await Promise.all([
          ...Array.from({ length: 20 }, () => one.getOrSet('k', load.load, anew)),
          ...Array.from({ length: 20 }, () => other.getOrSet('k', load.load, anew)),
        ])
        expect(new Set(answers)).toEqual(new Set(['old']))
        await waitFor('the load', () => load.calls > 0)
        expect(one.getStatistics().stale + other.getStatistics().stale).toBe(41)
        load.answer('new')
        await waitFor('the refresh', async () => (await other.get('k')) === 'new')
        expect(load.calls).toBe(1)
        expect((await one.lookup('k')).stale).toBe(false)
      })

      it('goes on serving when the load fails, until the grace is over', async () => {
        await one.set('k', 'old', { ttl: '40ms', grace: '2s' })
        await backend.stores.elapse(60)
        const failing = vi.fn(() => Promise.reject(new Error('no origin')))
        expect(await one.getOrSet<string>('k', failing, options)).toBe('old')
        await waitFor('the failure', () => one.getStatistics().loadErrors === 1)
        await waitFor('the release of the lease', () =>
          other.getOrSet<string>('k', failing, options).then((v) => v === 'old'),
        )
        await backend.stores.elapse(2_000)
        await expect(one.getOrSet('k', failing, options)).rejects.toThrow('no origin')
      })

      it('does not outlive an invalidation: a refresh that was under way is refused', async () => {
        await one.set('k', 'old', { ...options, tags: ['x'] })
        await backend.stores.elapse(60)
        const load = new HeldLoad<string>()
        await refreshing(one, load, { ...options, tags: ['x'] })
        await other.invalidateByTag('x')
        load.answer('too old')
        expect(await other.getOrSet('k', () => 'new', { tags: ['x'] })).toBe('new')
        await filled('k', one)
        expect(await one.get('k')).toBe('new')
      })

      it.each<[string, unknown]>([
        ['null', null],
        ['nothing', undefined],
        ['what must not be stored', { password: 'p' }],
        ['what is too large', 'x'.repeat(3_000)],
      ])('ends when the load answers %s', async (_, value) => {
        const { one, other } = await backend.caches({ maxValueBytes: 2_000, compression: false })
        await one.set('k', 'old', options)
        await backend.stores.elapse(60)
        expect(await one.getOrSet<unknown>('k', () => value, options)).toBe('old')
        await waitFor('the end', async () => {
          await one.getOrSet<unknown>('k', () => value, options)
          return !(await other.has('k'))
        })
        expect(await other.getOrSet('k', () => 'new')).toBe('new')
      })

      it('goes on when the loader says that its value is not to be stored', async () => {
        await one.set('k', 'old', options)
        await backend.stores.elapse(60)
        const load = new HeldLoad<string>()
        await waitFor('the refresh', async () => {
          await one.getOrSet('k', (context) => (context.skip(), load.load()), options)
          return load.calls === 1
        })
        load.answer('not stored')
        await waitFor('the release of the lease', async () => {
          await other.getOrSet('k', load.load, options)
          return load.calls === 2
        })
        expect(await other.get('k')).toBe('old')
      })

      it('does not hold up close for longer than a second with a load that never ends', async () => {
        const { one } = await backend.caches()
        await one.set('k', 'old', options)
        await backend.stores.elapse(60)
        const load = new HeldLoad<string>()
        await refreshing(one, load, options)
        const closing = one.close()
        await backend.stores.elapse(1_000)
        await expect(closing).resolves.toBeUndefined()
        load.answer('after the end')
      })

      it('is none unless it is asked for, and stays as long as it was when an entry is touched', async () => {
        await one.set('short', 1, { ttl: '40ms' })
        await one.set('k', 1, options)
        await backend.stores.elapse(60)
        expect(await one.get('short')).toBeNull()
        expect(await one.touch('k', '1s')).toBe(true)
        expect((await one.lookup('k')).stale).toBe(false)
        await backend.stores.elapse(1_020)
        expect(await other.lookup('k')).toMatchObject({ hit: true, stale: true })
      })
    })

    impatientLoads(() => backend)

    describe('scopes', () => {
      it('keep tenants and users apart, in every operation', async () => {
        const [a, b] = [one.forTenant('a'), other.forTenant('b')]
        await a.set('product:1', 'of a', { tags: ['catalogue'] })
        await b.set('product:1', 'of b', { tags: ['catalogue'] })
        expect([await a.get('product:1'), await b.get('product:1')]).toEqual(['of a', 'of b'])
        expect(await one.get('product:a:1')).toBe('of a')
        expect((await a.lookup('product:1')).tags).toEqual(['catalogue'])
        await a.invalidateByTag('catalogue')
        expect([await a.has('product:1'), await b.has('product:1')]).toEqual([false, true])
        // It is still there, though nobody is answered it.
        expect(await a.deleteByPattern('product:*')).toBe(1)
        expect(await b.delete('product:1')).toBe(1)
      })

      it('are cleared alone: a tenant with its users, a user alone', async () => {
        const [a, b] = [one.forTenant('a'), one.forTenant('b')]
        for (const cache of [a, b, a.forUser('u'), a.forUser('v')]) await cache.set('k', 1)
        await other.forTenant('a').forUser('u').clear()
        const held = () => Promise.all([a, b, a.forUser('u'), a.forUser('v')].map((cache) => cache.has('k')))
        expect(await held()).toEqual([true, true, false, true])
        await other.forTenant('a').clear()
        expect(await held()).toEqual([false, true, false, false])
      })

      it('show a loader the caller’s key, and take its tags', async () => {
        const a = one.forTenant('a')
        await a.getOrSet('k:1', ({ key, addTags }) => {
          expect(key).toBe('k:1')
          addTags('x')
          return 1
        })
        await filled('k:a:1')
        expect((await other.lookup('k:a:1')).tags).toEqual(['x:a'])
        await other.forTenant('a').invalidateByTag('x')
        expect(await a.has('k:1')).toBe(false)
      })

      it('are demanded of every key, glob and tag with tenancy.required', async () => {
        const strict = (await backend.caches({ tenancy: { required: true, global: ['currency'] } })).one
        await expect(strict.get('product:t1:1')).rejects.toThrow(TenantKeyError)
        await runAsTenant('t1', async () => {
          await strict.set('product:t1:1', 1, { tags: ['product:t1'] })
          expect(await strict.get('product:t1:1')).toBe(1)
          expect(await strict.forTenant('t1').get('product:1')).toBe(1)
          const unwanted = vi.fn(() => 1)
          const refused = [
            () => strict.get('product:t2:1'),
            () => strict.set('product:t1:1', 1, { tags: ['product'] }),
            () => strict.getOrSet('x', () => 1),
            () => strict.getOrSet('product:t1:2', unwanted, { tags: ['product'] }),
            () => strict.getMany(['product:t1:1', 'product:t2:1']),
            () => strict.delete(['product:t1:1', 'y']),
            () => strict.deleteByPattern('product:*'),
            () => strict.invalidateByTag('tenant:t2'),
            () => strict.invalidateAround({ keys: ['product:t2:1'] }, async () => 1),
            () => strict.clear(),
            async () => strict.forTenant('t2'),
          ]
          for (const call of refused) await expect(call()).rejects.toThrow(TenantKeyError)
          expect(unwanted).not.toHaveBeenCalled()
        })
        await strict.set('currency:EUR', 1)
        await runGlobal(() => strict.clear())
        expect(await strict.get('currency:EUR')).toBeNull()
      })
    })

    describe('what must not be stored', () => {
      it('is refused with the path of a sensitive field, and loads answer it all the same', async () => {
        const warn = vi.fn()
        const pair = await backend.caches({}, { logger: { warn, debug: () => undefined } })
        const user = { id: 1, login: { password: 'hunter2' } }
        const writing = pair.one.set('user:1', user)
        await expect(writing).rejects.toThrow(SensitiveDataError)
        await expect(writing).rejects.toMatchObject({ path: '$.login.password', key: 'user:1' })
        expect(await pair.one.getOrSet('user:1', () => user)).toEqual(user)
        expect(await pair.one.getOrSet('user:2', () => user)).toEqual(user)
        expect(await pair.other.has('user:1')).toBe(false)
        const lines = warn.mock.calls.flat().join('\n')
        expect(lines.match(/\$\.login\.password/g)).toHaveLength(1)
        expect(lines).not.toContain('hunter2')
      })

      it('is refused by the key that the caller gave, inside a scope too', async () => {
        const refused = one.forTenant('t1').set('user:1', { password: 'p' })
        await expect(refused).rejects.toMatchObject({ code: 'SENSITIVE_DATA', key: 'user:1' })
      })

      it('is left out with ‘skip’, with what was there before, and stored with ‘off’', async () => {
        const skipping = await backend.caches({ sensitive: { action: 'skip' } })
        await skipping.one.set('k', { harmless: 1 })
        await skipping.one.set('k', { apiToken: 'abc' })
        expect(await skipping.other.get('k')).toBeNull()
        const off = await backend.caches({ sensitive: { action: 'off' } })
        await off.one.set('k', { apiToken: 'abc' })
        expect(await off.other.get('k')).toEqual({ apiToken: 'abc' })
      })

      it('is above maxValueBytes: the caller has it, an event says so, and the older value goes', async () => {
        const small = await backend.caches({ maxValueBytes: 100, compression: false })
        const events: unknown[] = []
        const stop = cacheNotStored.subscribe((event) => events.push(event))
        await small.one.set('k', 'short')
        await small.one.set('k', 'x'.repeat(200))
        expect(await small.other.has('k')).toBe(false)
        expect(await small.one.getOrSet('l', () => 'y'.repeat(200))).toBe('y'.repeat(200))
        stop()
        expect(events).toMatchObject([
          { key: 'k', reason: 'too-large', bytes: 202 },
          { key: 'l', reason: 'too-large', bytes: 202 },
        ])
        // Its lease is gone too: nobody waits for it.
        expect(await small.other.getOrSet('l', () => 'short')).toBe('short')
      })
    })

    describe('stored forms', () => {
      const rich = {
        date: new Date(5),
        list: [1n, undefined, NaN],
        map: new Map([[1, Buffer.from([0, 255])]]),
        text: 'ü'.repeat(300),
      }

      it.each([
        ['compressed', { compression: { threshold: 64, algorithm: 'gzip' } }],
        ['compressed with brotli', { compression: { threshold: 64, algorithm: 'brotli' } }],
        ['packed', { serializer: 'msgpack' }],
        ['encrypted', { encryption: { keys: [{ id: 'k1', secret: Buffer.alloc(32, 7) }] } }],
        [
          'packed, compressed and encrypted',
          {
            serializer: 'msgpack',
            compression: { threshold: 64, algorithm: 'gzip' },
            encryption: { keys: [{ id: 'k1', secret: 'a secret of some length' }] },
          },
        ],
      ] as const)('come back as they went in: %s', async (_, options) => {
        const { one, other } = await backend.caches(options)
        await one.set('set', rich)
        expect(await other.get('set')).toEqual(rich)
        const loaded = await Promise.all([one, one, other].map((cache) => cache.getOrSet('loaded', () => rich)))
        expect(loaded).toEqual([rich, rich, rich])
        await filled('loaded', other)
        expect(await other.get('loaded')).toEqual(rich)
        expect(await one.getOrSetMany(['loaded', 'set'], { key: String, load: async () => [] })).toEqual([rich, rich])
      })

      it('that this process can not read are misses, and loaded anew', async () => {
        const warn = vi.fn()
        const prefixed = await backend.caches({ encryption: { keys: [{ id: 'old', secret: Buffer.alloc(32, 1) }] } })
        await prefixed.one.set('k', 'secret')
        const stranger = await backend.cacheOn(prefixed.prefix, {}, { logger: { warn, debug: () => undefined } })
        expect(await stranger.get('k')).toBeNull()
        expect(await stranger.lookup('k')).toMatchObject({ hit: false })
        expect(await stranger.has('k')).toBe(false)
        expect(await stranger.ttl('k')).toBeNull()
        expect(await stranger.touch('k', 50)).toBe(false)
        expect(stranger.getStatistics()).toMatchObject({ hits: 0, misses: 2 })
        expect(await prefixed.one.has('k')).toBe(true)
        expect(await stranger.getOrSet('k', () => 'loaded')).toBe('loaded')
        await waitFor('the fill', async () => (await stranger.get('k')) === 'loaded')
        expect(warn.mock.calls.flat().filter((line) => String(line).includes("can't be read"))).toHaveLength(1)
      })
    })

    describe('getOrSetMany', () => {
      const load = async (ids: number[]): Promise<string[]> => ids.map((id) => `value ${id}`)
      const key = (id: number): string => `item:${id}`

      it('loads each item under its own key, also when the caller’s list changes before the load or a refresh', async () => {
        const options = { key, load, ttl: '40ms', grace: '1m' }
        const ids = [1, 2]
        const first = one.getOrSetMany(ids, options)
        ids.reverse()
        expect(await first).toEqual(['value 1', 'value 2'])
        await filled('item:2')
        await backend.stores.elapse(60)
        await one.getOrSetMany(ids, { ...options, ttl: '1m' })
        ids.reverse()
        await waitFor(
          'the refresh',
          async () => !(await other.lookup('item:1')).stale && !(await other.lookup('item:2')).stale,
        )
        expect(await other.getMany(['item:1', 'item:2'])).toEqual(['value 1', 'value 2'])
      })
    })

    describe('setMany', () => {
      // Large enough to be compressed, and so to be encoded later than what follows.
      const large = 'x'.repeat(100_000)

      it('stores nothing when one of the entries can’t be, also where that shows late', async () => {
        const unprepared = await backend.cacheOn(pair.prefix, { serializer: 'msgpack' })
        const bad = { key: 'bad', value: { field: () => undefined } }
        await expect(unprepared.setMany([{ key: 'good', value: 1 }, bad])).rejects.toThrow('$.field')
        const late = await backend.cacheOn(pair.prefix, { serializer: 'msgpack' })
        await expect(late.setMany([bad, { key: '', value: 1 }])).rejects.toThrow(InvalidKeyError)
        await expect(one.setMany([{ key: 'good', value: large }, bad])).rejects.toThrow('$.field')
        expect(await other.has('good')).toBe(false)
      })

      it('keeps the order of entries of one key', async () => {
        await one.setMany([
          { key: 'k', value: large },
          { key: 'k', value: 'last' },
        ])
        expect(await other.get('k')).toBe('last')
      })
    })

    describe('values of other programs', () => {
      it('that are JSON are hits until their key expires, for ever or not, and are cleared', async ({ skip }) => {
        const { command } = backend.stores
        if (command === null) return skip()
        const keyspace = new Keyspace(pair.prefix)
        const write = (key: string, ...args: string[]) =>
          command(keyspace.entry(key), 'SET', keyspace.entry(key), ...args)
        await write('plain', '{"a":[1,"ü"]}', 'PX', '60000')
        await write('text', 'no JSON')
        await write('forever', '[1]')
        expect(await one.get('plain')).toEqual({ a: [1, 'ü'] })
        expect(await one.get('text')).toBeNull()
        expect((await one.lookup('plain')).ttlMs).toBeGreaterThan(50_000)
        expect(await one.ttl('forever')).toBe(Infinity)
        expect(await one.touch('forever', 60)).toBe(true)
        expect(await other.ttl('forever')).toBeLessThanOrEqual(60)
        await one.invalidateAround({ keys: ['plain'] }, async () => expect(await other.get('plain')).toBeNull())
        await one.clear()
        await waitFor('the scan', async () => !(await other.has('forever')))
      })
    })

    describe('loadConcurrency, while the store is away', () => {
      const away = async (): Promise<RedisCacheService> => {
        const { one, store } = await backend.caches({ loadConcurrency: 1 })
        await one.get('warm')
        store.away = true
        return one
      }

      it('lets so many load at once, and the others wait their turn', async () => {
        const cache = await away()
        const load = new HeldLoad<number>()
        const all = ['a', 'b', 'c'].map((key) => cache.getOrSet(key, load.load))
        for (const turn of [1, 2, 3]) {
          await waitFor('the turn', () => load.calls === turn)
          load.answer(turn)
        }
        expect(await Promise.all(all)).toEqual([1, 2, 3])
      })

      it('holds up nothing that a running load waits for, though it queued before', async () => {
        const cache = await away()
        const first = new HeldLoad<number>()
        const outer = cache.getOrSet('a', async () => (await first.load()) + (await cache.getOrSet('b', () => 10)))
        await waitFor('the outer load', () => first.calls === 1)
        const queued = [cache.getOrSet('c', () => 5), cache.getOrSet('b', () => 2)]
        await waitFor('the others in the queue', () => cache.getStatistics().misses === 4)
        first.answer(1)
        expect(await outer).toBe(3)
        expect(await Promise.all(queued)).toEqual([5, 2])
        // Of 'b' there was one load for both.
        expect(cache.getStatistics().loads).toBe(3)
      })

      it('holds up no load of many that asks for an item which is still to be loaded', async () => {
        const cache = await away()
        const items = await cache.getOrSetMany(['x', 'y', 'z'], {
          key: String,
          load: async (missing) =>
            Promise.all(missing.map(async (item) => (item === 'x' ? cache.getOrSet('y', () => 'nested') : item))),
        })
        expect(items).toEqual(['y', 'y', 'z'])
      })
    })

    it('clear gives back the memory of what it has voided, in the background', async ({ skip }) => {
      if (backend.stores.command === null) return skip()
      const keys = Array.from({ length: 300 }, (_, i) => `k${i}`)
      await one.setMany(keys.map((key) => ({ key, value: key })))
      await one.clear()
      await other.set('k0', 'after')
      await waitFor('the memory', async () => {
        const ttls = await Promise.all(keys.map((key) => backend.stores.physicalTtl(pair.prefix, key)))
        return ttls.filter((ttl) => ttl !== -2).length === 1
      })
      expect(await one.get('k0')).toBe('after')
    })
  })
}
