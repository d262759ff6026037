import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RedisCacheService } from '../../src/cache/cache.js'
import { CacheUnavailableError, LoaderResultError } from '../../src/cache/errors.js'
import type { GetOrSetOptions } from '../../src/cache/public-types.js'
import {
  ConfigurationError,
  InvalidDurationError,
  InvalidKeyError,
  SerializationError,
} from '../../src/kernel/errors.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { CacheBackend, CachePair } from '../support/cache-backends.js'
import { HeldLoad } from '../support/memory-world.js'
import { waitFor } from '../support/wait-for.js'

/** What users of `RedisCacheService` rely on, every operation and every option, seen by two processes on one server. */
export function cacheContract(name: string, makeBackend: () => Promise<CacheBackend>): void {
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

    /** Fills are off the callers' path. */
    const filled = (key: string, cache = other): Promise<void> => waitFor(`the fill of ${key}`, () => cache.has(key))

    describe('values', () => {
      class Money {
        constructor(readonly amount: number) {}
      }

      const values: [string, unknown][] = [
        ['false', false],
        ['true', true],
        ['0', 0],
        ['-0', -0],
        ['a number', 1.5e300],
        ['NaN', NaN],
        ['Infinity', -Infinity],
        ['an empty string', ''],
        ['a string', 'ü🙂\n\0"~'],
        ['null', null],
        ['a Date', new Date('2031-02-03T04:05:06.789Z')],
        [
          'a Map',
          new Map<unknown, unknown>([
            ['a', new Date(0)],
            [1, new Map()],
          ]),
        ],
        ['a Set', new Set([1, 'a', null])],
        ['a bigint', -123456789012345678901234567890n],
        ['a Buffer', Buffer.from([0, 255, 10, 13])],
        ['a Uint8Array', new Uint8Array([1, 2, 3])],
        ['an array', [1, [2, [undefined, NaN]], 'x']],
        ['an object', { a: { b: [new Date(5), undefined, 10n] }, c: undefined, '': 0, __proto__x: 1 }],
        ['plain JSON', { list: [1, 2, { deep: { er: true } }], text: '2031-02-03T04:05:06.789Z', none: null }],
        ['text that looks like marks', { a: '~D5', b: '~~', c: ['~M', 1, 2], '~u': '~u' }],
      ]

      it.each(values)('come back as they went in, set or loaded, read here or there: %s', async (_, value) => {
        await one.set('set', value)
        for (const cache of [one, other]) expect(await cache.get('set')).toStrictEqual(value)
        const cacheNull = '1m'
        expect(await one.getOrSet('loaded', () => value, { cacheNull })).toStrictEqual(value)
        await filled('loaded')
        for (const cache of [one, other]) {
          expect(await cache.getOrSet('loaded', () => 'called', { cacheNull })).toStrictEqual(value)
          expect((await cache.lookup('loaded')).value).toStrictEqual(value)
        }
      })

      it('of false, 0, an empty string and null are hits', async () => {
        for (const value of [false, 0, '', null]) {
          await one.set('k', value)
          expect(await other.lookup('k')).toMatchObject({ hit: true, value })
          expect(await other.getOrSet<unknown>('k', () => 'called')).toBe(value)
          expect(await other.has('k')).toBe(true)
        }
      })

      it('that are ISO dates as text stay text, and Dates stay Dates', async () => {
        const text = '2031-02-03T04:05:06.789Z'
        await one.set('k', { text, date: new Date(text) })
        expect(await other.get('k')).toStrictEqual({ text, date: new Date(text) })
      })

      it('of a class come back as plain objects with their fields', async () => {
        await one.set('k', new Money(5))
        expect(await other.get('k')).toStrictEqual({ amount: 5 })
      })

      it('are copies: what a caller does to one is nobody else’s', async () => {
        await one.set('k', { list: [1] })
        ;(await one.get<{ list: number[] }>('k'))!.list.push(2)
        expect(await one.get('k')).toEqual({ list: [1] })
      })

      it('that are undefined are never stored', async () => {
        await expect(one.set('k', undefined)).rejects.toThrow(SerializationError)
        expect(await one.getOrSet('k', () => undefined)).toBeUndefined()
        expect(await one.getOrSet('k', () => 'loaded')).toBe('loaded')
      })

      it.each([
        ['a function', { a: [1, { save: () => undefined }] }, '$.a[1].save'],
        ['a symbol', { a: Symbol('s') }, '$.a'],
        ['a cycle', cyclic(), '$.a.self'],
      ])('that can’t be written are refused with their path, set or loaded: %s', async (_, value, path) => {
        await expect(one.set('k', value)).rejects.toMatchObject({ name: 'SerializationError', path })
        await expect(one.setMany([{ key: 'k', value }])).rejects.toMatchObject({ path })
        await expect(one.getOrSet('k', () => value)).rejects.toMatchObject({ path })
        expect(await one.get('k')).toBeNull()
        expect(await one.getOrSet('k', () => 'loaded')).toBe('loaded')
      })

      it('of 300 KB come back whole', async () => {
        const value = Array.from({ length: 3_000 }, (_, i) => ({ id: i, text: 'x'.repeat(80) }))
        await one.set('k', value)
        expect(await other.get('k')).toEqual(value)
      })
    })

    describe('keys', () => {
      const odd = [
        '{}',
        'a}b',
        'x{}y{z}',
        '}{',
        '{a}',
        'a b',
        '*',
        '[a-z]?',
        'ü🙂',
        '\'"\\',
        ':',
        '@lease:{k}:k',
        '__proto__',
      ]

      it.each([...odd, 'k'.repeat(1_024), 'ü'.repeat(512)])(
        'of any characters work through every operation: %s',
        async (key) => {
          await one.set(key, 1, { tags: [key] })
          expect(await other.get(key)).toBe(1)
          expect(await other.touch(key, 100)).toBe(true)
          expect(await one.ttl(key)).toBeGreaterThan(95)
          expect(await other.delete(key)).toBe(1)
          expect(await one.getOrSet(key, () => 2, { tags: [key] })).toBe(2)
          await filled(key)
          await other.invalidateByTag(key)
          expect(await one.has(key)).toBe(false)
          expect(await one.getOrSetMany([key], { key: (each) => each, load: async () => [3] })).toEqual([3])
        },
      )

      it.each([
        ['empty', ''],
        ['too long', 'k'.repeat(1_025)],
        ['too long in bytes', 'ü'.repeat(513)],
        ['with a control character', 'a\nb'],
        ['with half a character', 'a\ud800'],
        ['not a string', 5 as unknown as string],
        ['missing', undefined as unknown as string],
      ])('that can’t be one are refused by every operation, and by tags: %s', async (_, key) => {
        const load = vi.fn(() => 1)
        const operations: (() => Promise<unknown>)[] = [
          () => one.get(key),
          () => one.lookup(key),
          () => one.set(key, 1),
          () => one.setWithTags(key, 1, 5, []),
          () => one.getOrSet(key, load),
          () => one.getMany(['fine', key]),
          () =>
            one.setMany([
              { key: 'fine', value: 1 },
              { key, value: 1 },
            ]),
          () => one.getOrSetMany([1], { key: () => key, load: async () => [load()] }),
          () => one.delete(['fine', key]),
          () => one.has(key),
          () => one.ttl(key),
          () => one.touch(key, 5),
          () => one.invalidateByTag(['fine', key]),
          () => one.set('k', 1, { tags: [key] }),
          () => one.getOrSet('k', load, { tags: [key] }),
        ]
        for (const operation of operations) await expect(operation()).rejects.toThrow(InvalidKeyError)
        expect(load).not.toHaveBeenCalled()
        expect(await one.getMany(['fine', 'k'])).toEqual([null, null])
      })

      it('added as tags by a loader are checked, and the load is not called again', async () => {
        const load = vi.fn(({ addTags }: { addTags(...tags: string[]): void }) => addTags('fine', ''))
        await expect(one.getOrSet('k', load)).rejects.toThrow(InvalidKeyError)
        expect(load).toHaveBeenCalledTimes(1)
      })

      it('are what stands in Redis behind the prefix', async () => {
        const { server } = backend.stores
        if (server === null) return expect(pair.prefix).toMatch(/:$/)
        await one.set('product:t1:42', { id: 42 })
        const text = String(await server.command('GET', `${pair.prefix}product:t1:42`))
        expect(text.split('\n')[1]).toBe('{"id":42}')
      })
    })

    describe('get, lookup, has and ttl', () => {
      it('of nothing are misses', async () => {
        expect(await one.get('k')).toBeNull()
        expect(await one.has('k')).toBe(false)
        expect(await one.ttl('k')).toBeNull()
        expect(await one.lookup('k')).toEqual({
          hit: false,
          value: null,
          level: null,
          stale: false,
          ttlMs: null,
          tags: [],
        })
      })

      it('tell what is there', async () => {
        await one.set('k', 5, { ttl: '10s', tags: ['x', 'y'] })
        expect(await other.lookup('k')).toEqual({
          hit: true,
          value: 5,
          level: 'l2',
          stale: false,
          ttlMs: expect.any(Number),
          tags: ['x', 'y'],
        })
        const { ttlMs } = await other.lookup('k')
        expect(ttlMs).toBeGreaterThan(5_000)
        expect(ttlMs).toBeLessThan(12_500)
        expect(Math.abs((await other.ttl('k'))! * 1_000 - ttlMs!)).toBeLessThan(2_000)
        expect(await other.has('k')).toBe(true)
      })
    })

    describe('lifetimes', () => {
      /** Seconds that are left, in tens: a busy machine takes its time. */
      const seconds = async (key: string): Promise<number> => {
        const physical = await backend.stores.physicalTtl(pair.prefix, key)
        return Math.ceil(Math.round(physical === null ? (await other.ttl(key))! : physical / 1_000) / 10) * 10
      }

      it('are 300 seconds, or the option’s', async () => {
        await one.set('k', 1)
        expect(await seconds('k')).toBe(300)
        pair = await backend.caches({ defaultTtl: '2h' })
        await pair.one.set('k', 1)
        await pair.one.getOrSet('loaded', () => 1)
        ;({ other } = pair)
        await filled('loaded')
        expect([await seconds('k'), await seconds('loaded')]).toEqual([7_200, 7_200])
      })

      it('of a call are honoured by every operation that stores, and seconds are seconds', async () => {
        await one.set('set', 1, 10)
        await one.set('options', 1, { ttl: '20s' })
        await one.setWithTags('tags', 1, 30, ['x'])
        await one.setMany(
          [
            { key: 'many', value: 1 },
            { key: 'own', value: 1, ttl: 50 },
          ],
          { ttl: 40 },
        )
        await one.getOrSet('loaded', () => 1, 60)
        await one.getOrSet('computed', () => 70, { ttl: (value) => value })
        await one.getOrSet('context', ({ setTtl }) => setTtl('80s') ?? 1, 5)
        await one.getOrSetMany(['batch'], { key: (key) => key, load: async () => [1], ttl: 90 })
        await Promise.all(['loaded', 'computed', 'context', 'batch'].map((key) => filled(key)))
        const keys = ['set', 'options', 'tags', 'many', 'own', 'loaded', 'computed', 'context', 'batch']
        expect(await Promise.all(keys.map(seconds))).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90])
        await one.set('set', 1, 100)
        expect(await seconds('set')).toBe(100)
      })

      it('end', async () => {
        await one.set('k', 1, '1s')
        expect(await other.get('k')).toBe(1)
        await backend.stores.elapse(1_020)
        expect(await other.get('k')).toBeNull()
        expect(await other.getOrSet('k', () => 'anew')).toBe('anew')
      })

      it.each([0, -1, NaN, Infinity, 'soon', '5', '', {} as unknown as number])(
        'that can’t be one are refused by every operation before it does anything: %s',
        async (ttl) => {
          const load = vi.fn(() => 1)
          const operations: (() => Promise<unknown>)[] = [
            () => one.set('k', 1, { ttl }),
            () => one.setWithTags('k', 1, ttl, []),
            () =>
              one.setMany([
                { key: 'fine', value: 1 },
                { key: 'k', value: 1, ttl },
              ]),
            () => one.getOrSet('k', load, { ttl }),
            () => one.getOrSet('k', load, { cacheNull: ttl }),
            () => one.getOrSetMany(['k'], { key: (key) => key, load: async () => [load()], ttl }),
            () => one.touch('k', ttl),
          ]
          for (const operation of operations) await expect(operation()).rejects.toThrow(InvalidDurationError)
          expect(load).not.toHaveBeenCalled()
          expect(await one.getMany(['k', 'fine'])).toEqual([null, null])
        },
      )

      it('above maxTtl are refused, wherever they come from', async () => {
        const { one } = await backend.caches({ maxTtl: '1h' })
        await expect(one.set('k', 1, '61m')).rejects.toThrow(/maximum of 3600 s; shorten it or raise maxTtl/)
        await expect(one.getOrSet('k', () => 1, { ttl: () => 3_601 })).rejects.toThrow(InvalidDurationError)
        await expect(one.getOrSet('k', ({ setTtl }) => setTtl(3_601))).rejects.toThrow(InvalidDurationError)
        await one.set('k', 1, 3_600)
      })

      it('of loaded entries are shortened by jitter, never lengthened; of set ones they are exact', async () => {
        const { one, other } = await backend.caches({ jitter: 0.5 })
        const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
        await Promise.all(keys.map((key) => one.getOrSet(key, () => 1, 1_000)))
        await waitFor('the fills', async () => (await other.getMany(keys)).every((value) => value === 1))
        const ttls = await Promise.all(keys.map(async (key) => (await other.ttl(key))!))
        expect(Math.max(...ttls)).toBeLessThanOrEqual(1_003)
        expect(Math.min(...ttls)).toBeGreaterThan(490)
        expect(new Set(ttls.map(Math.round)).size).toBeGreaterThan(10)
        await one.set('set', 1, 1_000)
        expect(Math.round((await other.ttl('set'))! / 10)).toBe(100)
      })

      it('in numbers above a day are pointed out once a group', async () => {
        const warn = vi.fn()
        const { one } = await backend.caches({}, { logger: { warn, debug: () => undefined } })
        await one.set('product:1', 1, 300_000)
        await one.set('product:2', 1, 300_000)
        await one.set('product:3', 1, '300000s')
        await one.getOrSet('order:1', () => 1, 86_401)
        expect(warn.mock.calls.map(([message]) => message)).toEqual([
          "a TTL of 300000 s for 'product' is 83 h; milliseconds? write '300000ms' (seconds: '300000s')",
          "a TTL of 86401 s for 'order' is 24 h; milliseconds? write '86401ms' (seconds: '86401s')",
        ])
      })
    })

    describe('touch', () => {
      it('gives a new life to what is there, and to nothing else', async () => {
        await one.set('k', { a: 1 }, { ttl: 10, tags: ['x'] })
        expect(await other.touch('k', '10m')).toBe(true)
        expect(await one.ttl('k')).toBeGreaterThan(595)
        expect(await one.lookup('k')).toMatchObject({ value: { a: 1 }, tags: ['x'] })
        expect(await other.touch('none', 10)).toBe(false)
        await one.invalidateByTag('x')
        expect(await other.touch('k', 10)).toBe(false)
      })
    })

    describe('set', () => {
      it('replaces value, lifetime and tags', async () => {
        await one.set('k', 1, { tags: ['x'] })
        await one.set('k', 2)
        await other.invalidateByTag('x')
        expect(await other.get('k')).toBe(2)
        await one.setWithTags('k', 3, 10, ['y'])
        await other.invalidateByTag('y')
        expect(await other.get('k')).toBeNull()
      })

      it('of many stores each under its own settings or the common ones', async () => {
        await one.setMany(
          [
            { key: 'a', value: 1 },
            { key: 'b', value: 2, tags: ['y'] },
          ],
          { tags: ['x'] },
        )
        expect(await other.getMany(['a', 'none', 'b'])).toEqual([1, null, 2])
        await other.invalidateByTag('x')
        expect(await other.getMany(['a', 'b'])).toEqual([null, 2])
        await one.setMany([])
      })
    })

    describe('getOrSet', () => {
      it('calls the loader at a miss, with the key, and not at a hit', async () => {
        const load = vi.fn(({ key }: { key: string }) => `loaded ${key}`)
        expect(await one.getOrSet('k', load)).toBe('loaded k')
        await filled('k')
        expect(await other.getOrSet('k', load)).toBe('loaded k')
        expect(load).toHaveBeenCalledTimes(1)
      })

      it('takes tags from the options, from the value, and from the loader', async () => {
        await one.getOrSet('list', () => 1, { tags: ['a', 'a', 'b'] })
        await one.getOrSet('value', () => ({ id: 7 }), { tags: ({ id }) => [`id:${id}`] })
        await one.getOrSet('loader', ({ addTags }) => addTags('c', 'd') ?? addTags('e') ?? 1, { tags: ['a'] })
        await Promise.all(['list', 'value', 'loader'].map((key) => filled(key)))
        const tags = async (key: string): Promise<readonly string[]> => (await other.lookup(key)).tags
        expect(await tags('list')).toEqual(['a', 'b'])
        expect(await tags('value')).toEqual(['id:7'])
        expect(await tags('loader')).toEqual(['a', 'c', 'd', 'e'])
      })

      it('refuses more than 128 tags', async () => {
        const tags = Array.from({ length: 129 }, (_, i) => `t${i}`)
        await expect(one.set('k', 1, { tags })).rejects.toThrow('128')
        await expect(one.getOrSet('k', () => 1, { tags: () => tags })).rejects.toThrow(InvalidKeyError)
        await one.set('k', 1, { tags: tags.slice(1) })
        expect((await other.lookup('k')).tags).toHaveLength(128)
      })

      it('stores nothing that the loader skips', async () => {
        expect(await one.getOrSet('k', ({ skip }) => skip() ?? 'skipped')).toBe('skipped')
        expect(await other.getOrSet('k', () => 'loaded')).toBe('loaded')
      })

      it('stores null only when told to, for as long as told', async () => {
        expect(await one.getOrSet('k', () => null)).toBeNull()
        expect(await other.lookup('k')).toMatchObject({ hit: false })
        expect(await one.getOrSet('k', () => null, { cacheNull: '30s', tags: ['x'] })).toBeNull()
        await filled('k')
        expect(await other.lookup('k')).toMatchObject({ hit: true, value: null, tags: ['x'] })
        expect(await other.ttl('k')).toBeLessThan(33)
        expect(await other.getOrSet<unknown>('k', () => 'called')).toBeNull()
        const withDefault = await backend.caches({ cacheNull: 20 })
        await withDefault.one.getOrSet('kept', () => null)
        await filled('kept', withDefault.other)
        await withDefault.one.getOrSet('not', () => null, { cacheNull: false })
        expect(await withDefault.other.getMany(['kept', 'not'])).toEqual([null, null])
        expect(await withDefault.other.has('not')).toBe(false)
      })

      it('does not ask callbacks of the value about null', async () => {
        const [ttl, tags] = [vi.fn(() => 5), vi.fn(() => ['x'])]
        await one.getOrSet<{ id: number } | null>('k', () => null, { ttl, tags, cacheNull: 5 })
        expect([ttl, tags].map((callback) => callback.mock.calls.length)).toEqual([0, 0])
      })

      it.each([
        ['ttl', { ttl: () => fail() }],
        ['tags', { tags: () => fail() }],
      ] as [string, GetOrSetOptions<unknown>][])(
        'passes on what the %s callback throws; the loader is called once',
        async (_, options) => {
          const load = vi.fn(() => 1)
          await expect(one.getOrSet('k', load, options)).rejects.toThrow('from the callback')
          expect(load).toHaveBeenCalledTimes(1)
          expect(await other.get('k')).toBeNull()
          expect(await other.getOrSet('k', () => 'next')).toBe('next')
        },
      )

      it('passes on what the loader throws, at once or later, and stores nothing', async () => {
        const error = new Error('no database')
        await expect(
          one.getOrSet('k', () => {
            throw error
          }),
        ).rejects.toBe(error)
        await expect(one.getOrSet('k', () => Promise.reject(error))).rejects.toBe(error)
        expect(await other.getOrSet('k', () => 'next')).toBe('next')
      })

      it('never takes an error of the loader for one of the store', async () => {
        const { errors } = one.getStatistics()
        const error = new CacheUnavailableError('of another cache, inside the loader')
        await expect(one.getOrSet('k', () => Promise.reject(error))).rejects.toBe(error)
        expect(one.getStatistics().errors).toBe(errors)
      })

      it('loads a key inside its own load directly, and keys inside other loads once', async () => {
        const inner = vi.fn(() => 'inner')
        const value = await one.getOrSet('k', async () => {
          const same = await one.getOrSet('k', () => 'same')
          const others = await Promise.all([0, 1].map(() => one.getOrSet('part', inner)))
          return [same, ...others].join()
        })
        expect(value).toBe('same,inner,inner')
        expect(inner).toHaveBeenCalledTimes(1)
        await filled('k')
        expect(await other.get('k')).toBe('same,inner,inner')
      })

      it('ends also when two loads of a process ask for each other', async () => {
        const both = meeting(2)
        const ask = (own: string, next: string): Promise<string> =>
          one.getOrSet(own, async () => {
            await both()
            return `${own}(${await one.getOrSet(next, () => next)})`
          })
        const values = await Promise.all([ask('a', 'b'), ask('b', 'a')])
        // Who asks second is a part of what the first waits for, so it loads for itself; the first takes what comes of the second.
        expect(values.sort()).toEqual(['a(b(a))', 'b(a)'])
      })
    })

    describe('one load', () => {
      it('runs for many callers of both processes; a failing one runs once an attempt', async () => {
        const load = new HeldLoad<string>()
        const callers = [one, other].flatMap((cache) =>
          Array.from({ length: 25 }, () => cache.getOrSet('k', load.load)),
        )
        const outcomes = callers.map((caller) => caller.catch((error: unknown) => error))
        await waitFor('the load', () => load.calls === 1)
        load.fail(new Error('first attempt'))
        // Those of the failing process hear of it; those of the other load once themselves.
        await waitFor('the second load', () => load.calls === 2)
        load.fail(new Error('second attempt'))
        const messages = (await Promise.all(outcomes)).map((error) => (error as Error).message)
        expect(messages.filter((message) => message === 'first attempt')).toHaveLength(25)
        expect(messages.filter((message) => message === 'second attempt')).toHaveLength(25)
        expect(load.calls).toBe(2)
      })

      it('at a time runs for staggered callers, however often it fails', async () => {
        let [running, most, calls] = [0, 0, 0]
        const load = async (): Promise<never> => {
          most = Math.max(most, ++running)
          calls++
          await new Promise((resolve) => setImmediate(resolve))
          running--
          throw new Error('no database')
        }
        const outcomes: Promise<unknown>[] = []
        for (let i = 0; i < 50; i++) {
          outcomes.push(one.getOrSet('k', load).catch((error: unknown) => error))
          await new Promise((resolve) => setImmediate(resolve))
        }
        const errors = await Promise.all(outcomes)
        expect(errors.every((error) => (error as Error).message === 'no database')).toBe(true)
        expect(most).toBe(1)
        expect(calls).toBeLessThanOrEqual(50)
      })

      it('that an invalidation overtook answers those who waited, and nobody who comes later', async () => {
        const invalidations: Record<string, () => Promise<unknown>> = {
          delete: () => other.delete('k'),
          tag: () => other.invalidateByTag('x'),
          clear: () => other.clear(),
        }
        for (const [how, invalidate] of Object.entries(invalidations)) {
          await one.delete('k')
          const load = new HeldLoad<string>()
          const ask = (): Promise<string> => one.getOrSet('k', load.load, { tags: ['x'] })
          const before = ask()
          await waitFor('the load', () => load.calls === 1)
          await invalidate()
          const after = ask()
          load.answer('old')
          expect(await before, how).toBe('old')
          await waitFor('the next load', () => load.calls === 2)
          load.answer('new')
          expect(await after, how).toBe('new')
          await filled('k')
          expect(await other.get('k'), how).toBe('new')
        }
      })

      it('runs in the async context of the caller whose loader it is', async () => {
        const request = new AsyncLocalStorage<string>()
        const load = new HeldLoad<void>()
        const ask = (who: string): Promise<string> =>
          request.run(who, () => one.getOrSet('k', () => load.load().then(() => request.getStore()!)))
        const first = ask('first')
        await waitFor('the load', () => load.calls === 1)
        await other.delete('k')
        const second = ask('second')
        load.answer()
        expect(await first).toBe('first')
        await waitFor('the next load', () => load.calls === 2)
        load.answer()
        expect(await second).toBe('second')
      })
    })

    describe('getOrSetMany', () => {
      const key = (id: number): string => `n:${id}`

      it('loads all that miss in one call, and answers in the order of the items', async () => {
        await one.set('n:2', 'two')
        const load = vi.fn(async (missing: number[]) => missing.map((id) => `loaded ${id}`))
        expect(await one.getOrSetMany([3, 2, 1], { key, load })).toEqual(['loaded 3', 'two', 'loaded 1'])
        expect(load.mock.calls.map(([missing]) => missing)).toEqual([[3, 1]])
        await Promise.all(['n:3', 'n:1'].map((each) => filled(each)))
        expect(await other.getOrSetMany([1, 2, 3], { key, load })).toEqual(['loaded 1', 'two', 'loaded 3'])
        expect(load).toHaveBeenCalledTimes(1)
      })

      it('takes a Map, and what it leaves out is null and not stored', async () => {
        const load = async (missing: number[]) => new Map(missing.filter((id) => id !== 2).map((id) => [id, { id }]))
        expect(await one.getOrSetMany([1, 2, 3], { key, load })).toEqual([{ id: 1 }, null, { id: 3 }])
        await filled('n:3')
        expect(await other.has('n:2')).toBe(false)
      })

      it('takes null and undefined in an array for nothing, stored with cacheNull', async () => {
        const load = async (): Promise<(number | null | undefined)[]> => [null, undefined, 3]
        expect(await one.getOrSetMany([1, 2, 3], { key, load, cacheNull: '1m' })).toEqual([null, null, 3])
        await Promise.all(['n:1', 'n:2', 'n:3'].map((each) => filled(each)))
      })

      it('refuses an answer that can’t be matched to the items', async () => {
        for (const answer of [[1], [1, 2, 3], { 1: 1 }, null, 'ab']) {
          const load = async () => answer as never
          await expect(one.getOrSetMany([1, 2], { key, load })).rejects.toThrow(LoaderResultError)
        }
        expect(await one.getMany(['n:1', 'n:2'])).toEqual([null, null])
      })

      it('passes on what the load throws, from one call', async () => {
        const load = vi.fn(() => Promise.reject(new Error('no database')))
        await expect(one.getOrSetMany([1, 2, 3], { key, load })).rejects.toThrow('no database')
        expect(load).toHaveBeenCalledTimes(1)
      })

      it('passes on what `key` throws, and has loaded nothing', async () => {
        const load = vi.fn(() => Promise.reject(new Error('called')))
        const odd = (id: number): string => (id === 2 ? fail() : key(id))
        await expect(one.getOrSetMany([1, 2], { key: odd, load })).rejects.toThrow('from the callback')
        expect(load).not.toHaveBeenCalled()
      })

      it('asks once for a key that is there twice', async () => {
        const load = vi.fn(async (missing: number[]) => missing.map(String))
        expect(await one.getOrSetMany([1, 1, 2], { key, load })).toEqual(['1', '1', '2'])
        expect(load.mock.calls.map(([missing]) => missing)).toEqual([[1, 2]])
      })

      it('of nothing loads nothing', async () => {
        const load = vi.fn()
        expect(await one.getOrSetMany([], { key, load })).toEqual([])
        expect(load).not.toHaveBeenCalled()
      })

      it('stores under the tags and lifetime given, also computed from each value', async () => {
        await one.getOrSetMany([1, 2], {
          key,
          load: async (missing) => missing,
          tags: (id) => [`id:${id}`],
          ttl: (id) => id * 100,
        })
        await Promise.all(['n:1', 'n:2'].map((each) => filled(each)))
        await other.invalidateByTag('id:1')
        expect(await one.getMany(['n:1', 'n:2'])).toEqual([null, 2])
        expect(Math.round((await other.ttl('n:2'))! / 10)).toBe(20)
      })

      it('that an invalidation overtook stores nothing of what was invalidated', async () => {
        const load = new HeldLoad<string[]>()
        const many = one.getOrSetMany([1, 2, 3], { key, load: load.load, tags: (value) => [`tag:${value}`] })
        await waitFor('the load', () => load.calls === 1)
        await other.invalidateByTag('tag:one')
        await other.delete('n:2')
        load.answer(['one', 'two', 'three'])
        expect(await many).toEqual(['one', 'two', 'three'])
        await filled('n:3')
        expect(await other.getMany(['n:1', 'n:2', 'n:3'])).toEqual([null, null, 'three'])
      })

      it('loads its own keys directly when its load asks for them', async () => {
        const many = one.getOrSetMany([1, 2], {
          key,
          load: async (missing) => Promise.all(missing.map((id) => one.getOrSet(key(id), () => `inner ${id}`))),
        })
        expect(await many).toEqual(['inner 1', 'inner 2'])
      })
    })

    describe('invalidation', () => {
      it('by one tag or many misses what carries any of them', async () => {
        await one.set('a', 1, { tags: ['x'] })
        await one.set('b', 2, { tags: ['y', 'z'] })
        await one.set('c', 3)
        await other.invalidateByTag(['x', 'z', 'x'])
        expect(await one.getMany(['a', 'b', 'c'])).toEqual([null, null, 3])
        await other.invalidateByTag([])
        await one.set('a', 4, { tags: ['x'] })
        expect(await other.get('a')).toBe(4)
      })

      it.each(['#g', '#s', '#f', 't:x', ' ', 'a,b', '%2C', '-', 'ü🙂', '{x}', '\'"\\', 't'.repeat(1_024)])(
        'by a tag of odd characters misses what carries exactly it: %s',
        async (tag) => {
          await one.set('odd', 1, { tags: ['before', tag] })
          await one.set('near', 2, { tags: [tag.length < 1_024 ? `${tag}.` : 'other'] })
          await other.invalidateByTag(tag)
          expect(await one.getMany(['odd', 'near'])).toEqual([null, 2])
          expect((await one.lookup('near')).hit).toBe(true)
        },
      )

      it('by a hundred thousand tags keeps the clock bounded, and what may have carried a forgotten one is a miss', async () => {
        const { one, other, prefix } = await backend.caches({ maxTags: 1_000 })
        await one.set('old', 1, { tags: ['never invalidated'] })
        await one.set('plain', 2)
        for (let i = 0; i < 100; i++)
          await other.invalidateByTag(Array.from({ length: 1_000 }, (_, n) => `customer:${i * 1_000 + n}`))
        expect(await one.getMany(['old', 'plain'])).toEqual([null, 2])
        await one.set('new', 3, { tags: ['customer:5', 'never invalidated'] })
        expect(await other.get('new')).toBe(3)
        const { server } = backend.stores
        if (server !== null) expect(await server.command('ZCARD', new Keyspace(prefix).tags)).toBeLessThanOrEqual(1_003)
      })

      it('by delete counts what was there', async () => {
        await one.setMany([
          { key: 'a', value: 1 },
          { key: 'b', value: null },
        ])
        expect(await other.delete(['a', 'b', 'c', 'a'])).toBe(2)
        expect(await other.delete('a')).toBe(0)
        expect(await other.delete([])).toBe(0)
        expect(await one.has('b')).toBe(false)
      })

      it('by clear misses everything of this prefix, tagged or not, and nothing of another', async () => {
        const stranger = await backend.caches()
        await stranger.one.set('k', 'theirs')
        await one.set('a', 1, { tags: ['x'] })
        await one.set('b', 2)
        expect(await other.getMany(['a', 'b'])).toEqual([1, 2])
        await other.clear()
        for (const cache of [one, other]) expect(await cache.getMany(['a', 'b'])).toEqual([null, null])
        await one.set('a', 3, { tags: ['x'] })
        expect(await other.get('a')).toBe(3)
        expect(await stranger.other.get('k')).toBe('theirs')
      })

      it('that lost its clock leaves misses, never old hits', async () => {
        await one.set('tagged', 1, { tags: ['x'] })
        await one.set('plain', 1)
        expect(await other.getMany(['tagged', 'plain'])).toEqual([1, 1])
        await backend.stores.loseClock(pair.prefix)
        for (const cache of [one, other]) expect(await cache.getMany(['tagged', 'plain'])).toEqual([null, null])
        expect(await one.getOrSet('tagged', () => 2, { tags: ['x'] })).toBe(2)
        await filled('tagged')
        expect(await other.get('tagged')).toBe(2)
      })
    })

    describe('what the caller gives', () => {
      it('is never changed: options, arrays and the items of a load', async () => {
        const frozen = <T extends object>(object: T): T => {
          for (const each of Object.values(object)) if (typeof each === 'object' && each !== null) frozen(each)
          return Object.freeze(object)
        }
        const items = frozen([1, 2, 3])
        const key = (id: number): string => `n:${id}`
        await one.set('k', frozen({ a: 1 }), frozen({ ttl: 5, tags: ['x', 'y'] }))
        await one.setMany(frozen([{ key: 'm', value: 1, tags: ['x'] }]), frozen({ tags: ['y'] }))
        await one.getOrSet('l', ({ addTags }) => addTags('z') ?? frozen({ b: 1 }), frozen({ ttl: 5, tags: ['x'] }))
        const load = async (missing: number[]): Promise<number[]> => missing.splice(0).map((id) => id * 2)
        expect(await one.getOrSetMany(items, frozen({ key, load, tags: ['x'] }))).toEqual([2, 4, 6])
        await one.getMany(frozen(['k', 'm']))
        await one.invalidateByTag(frozen(['x', 'y']))
        await one.delete(frozen(['k', 'm', 'k']))
        expect(items).toEqual([1, 2, 3])
      })

      it('may change after the call without changing what is stored', async () => {
        const [value, tags] = [{ list: [1] }, ['x']]
        const setting = one.set('k', value, { tags })
        value.list.push(2)
        tags.push('y')
        await setting
        expect(await other.lookup('k')).toMatchObject({ value: { list: [1] }, tags: ['x'] })
      })
    })

    describe('statistics', () => {
      it('count hits, misses, loads and invalidations, in all and by key group', async () => {
        await one.set('product:1', 1)
        await one.getMany(['product:1', 'product:2', 'order:1'])
        await one.getOrSet('order:1', () => 1)
        await one.getOrSet('order:2', () => Promise.reject(new Error('no'))).catch(() => undefined)
        await one.delete('order:1')
        await one.invalidateByTag('x')
        await one.clear()
        await one.has('product:1')
        const statistics = one.getStatistics()
        expect(statistics).toMatchObject({
          hits: 1,
          misses: 4,
          hitRate: 20,
          loads: 2,
          loadErrors: 1,
          invalidations: 3,
          errors: 0,
        })
        expect(statistics.l2).toEqual({ hits: 1, misses: 4 })
        expect(statistics.groups).toEqual({
          product: { hits: 1, misses: 1, hitRate: 50, loads: 0, loadErrors: 0 },
          order: { hits: 0, misses: 3, hitRate: 0, loads: 2, loadErrors: 1 },
        })
      })

      it('have a rate of two decimals, and are 0 when unused and after a reset', async () => {
        expect(one.getStatistics()).toMatchObject({ hits: 0, misses: 0, hitRate: 0, groups: {} })
        await one.set('k', 1)
        await Promise.all(Array.from({ length: 1_250 }, () => one.get('k')))
        await Promise.all(Array.from({ length: 50 }, (_, i) => one.get(`none${i}`)))
        expect(one.getStatistics()).toMatchObject({ hits: 1_250, misses: 50, hitRate: 96.15 })
        one.resetStatistics()
        expect(one.getStatistics()).toMatchObject({ hits: 0, misses: 0, hitRate: 0, groups: {} })
      })

      it('count every joiner of a load as a miss, and the load once', async () => {
        await Promise.all(Array.from({ length: 10 }, () => one.getOrSet('k', () => 1)))
        expect(one.getStatistics()).toMatchObject({ hits: 0, misses: 10, loads: 1 })
      })
    })

    describe('logMisses', () => {
      const lines = async (logMisses: boolean | { sample: number } | undefined, random = 0.5): Promise<string[]> => {
        const debug = vi.fn()
        const { one } = await backend.caches(
          { logMisses },
          {
            logger: { debug, warn: () => undefined },
            random: { float: () => random, int: () => 1, token: () => `token${Math.random()}` },
          },
        )
        await one.set('product:1', 'secret value')
        await one.getMany(['product:1', 'product:2'])
        await one.getOrSet('order:1', () => 'secret value')
        return debug.mock.calls.map(([line]) => String(line))
      }

      it('writes one line a miss, with group and key and never a value', async () => {
        expect(await lines(true)).toEqual(['miss group=product key=product:2', 'miss group=order key=order:1'])
        expect(await lines(false)).toEqual([])
        expect(await lines(undefined)).toEqual([])
      })

      it('writes its share of them', async () => {
        expect(await lines({ sample: 0.6 })).toHaveLength(2)
        expect(await lines({ sample: 0.4 })).toEqual([])
        expect(await lines({ sample: 1 }, 0.999_9)).toHaveLength(2)
        expect(await lines({ sample: 0 }, 0)).toEqual([])
      })
    })

    describe('options', () => {
      it.each([
        ['jitter', { jitter: 0.6 }],
        ['jitter', { jitter: -0.1 }],
        ['jitter', { jitter: NaN }],
        ['maxTags', { maxTags: 99 }],
        ['maxTags', { maxTags: 1.5e3 + 0.5 }],
        ['logMisses.sample', { logMisses: { sample: 2 } }],
      ])('that can’t be used are refused by name: %s', async (option, options) => {
        await expect(backend.caches(options)).rejects.toThrow(ConfigurationError)
        await expect(backend.caches(options)).rejects.toMatchObject({ option })
      })

      it.each([
        ['defaultTtl', { defaultTtl: 0 }],
        ['defaultTtl', { defaultTtl: '2h', maxTtl: '1h' }],
        ['maxTtl', { maxTtl: 'long' }],
        ['cacheNull', { cacheNull: '2h', maxTtl: '1h' }],
      ])('that are no lifetimes are refused by name: %s %o', async (option, options) => {
        await expect(backend.caches(options)).rejects.toThrow(InvalidDurationError)
        await expect(backend.caches(options)).rejects.toThrow(option)
      })

      it('that are undefined mean their defaults', async () => {
        const { one, other } = await backend.caches({
          defaultTtl: undefined,
          maxTtl: undefined,
          cacheNull: undefined,
          maxTags: undefined,
        })
        await one.set('k', 1)
        expect(Math.round((await other.ttl('k'))! / 10)).toBe(30)
      })
    })

    describe('while the store is away', () => {
      beforeEach(async () => {
        await one.set('k', 'stored')
        expect(await one.get('k')).toBe('stored')
        pair.store.away = true
      })

      it('reads are misses, and none throws', async () => {
        expect(await one.get('k')).toBeNull()
        expect(await one.getMany(['k', 'l'])).toEqual([null, null])
        expect(await one.has('k')).toBe(false)
        expect(await one.ttl('k')).toBeNull()
        expect(await one.lookup('k')).toMatchObject({ hit: false })
      })

      it('loads go to the origin, once a process at a time, and fail as the origin fails', async () => {
        const load = new HeldLoad<string>()
        const callers = Array.from({ length: 20 }, () => one.getOrSet('k', load.load))
        await waitFor('the load', () => load.calls === 1)
        load.answer('origin')
        expect(new Set(await Promise.all(callers))).toEqual(new Set(['origin']))
        expect(load.calls).toBe(1)
        await expect(one.getOrSet('k', () => Promise.reject(new Error('no origin')))).rejects.toThrow('no origin')
        expect(await one.getOrSetMany([1, 2], { key: String, load: async (ids) => ids })).toEqual([1, 2])
      })

      it('writes resolve, or reject when told to', async () => {
        await one.set('k', 'new')
        await one.setMany([{ key: 'a', value: 1 }])
        await expect(one.set('k', 'new', { onUnavailable: 'throw' })).rejects.toThrow(CacheUnavailableError)
        await expect(one.setMany([{ key: 'a', value: 1 }], { onUnavailable: 'throw' })).rejects.toThrow(
          CacheUnavailableError,
        )
      })

      it('invalidations and touch reject, for they may not have happened', async () => {
        const pending = { code: 'CACHE_UNAVAILABLE', pending: true }
        await expect(one.delete('k')).rejects.toMatchObject(pending)
        await expect(one.invalidateByTag('x')).rejects.toMatchObject(pending)
        await expect(one.deleteByPattern('k*')).rejects.toMatchObject(pending)
        expect(one.getStatistics().pending).toBe(3)
        await expect(one.clear()).rejects.toMatchObject(pending)
        await expect(one.touch('k', 5)).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE', pending: false })
        expect(one.getStatistics().invalidations).toBe(0)
      })

      /** What the store is owed is acknowledged. */
      const repeated = (): Promise<void> =>
        waitFor('the repetition', async () => {
          await backend.stores.elapse(60)
          return one.getStatistics().pending === 0
        })

      it('errors are counted, and it goes on as before when the store is back', async () => {
        await one.get('k')
        await one.set('k', 'lost')
        expect(one.getStatistics().errors).toBe(2)
        pair.store.away = false
        await repeated()
        // What a write could not replace does not stay either (R24).
        expect(await one.get('k')).toBeNull()
        expect(await one.getOrSet('l', () => 'loaded')).toBe('loaded')
        await filled('l')
      })

      it('a load that began before it went away still answers', async () => {
        pair.store.away = false
        const load = new HeldLoad<string>()
        const before = one.getOrSet('l', load.load)
        await waitFor('the load', () => load.calls === 1)
        pair.store.away = true
        const after = one.getOrSet('l', load.load)
        load.answer('first')
        expect(await before).toBe('first')
        await waitFor('the load of those who came later', () => load.calls === 2)
        load.answer('second')
        expect(await after).toBe('second')
      })
    })

    describe('close', () => {
      it('resolves when the fills under way have come to an end', async () => {
        const pair = await backend.caches()
        await pair.one.getOrSet('k', () => 1)
        await pair.one.close()
        expect(await pair.other.get('k')).toBe(1)
      })
    })
  })
}

function cyclic(): object {
  const a: Record<string, unknown> = {}
  a['self'] = a
  return { a }
}

function fail(): never {
  throw new Error('from the callback')
}

/** A place where `count` callers wait for each other. */
function meeting(count: number): () => Promise<void> {
  let arrived = 0
  let open!: () => void
  const all = new Promise<void>((resolve) => (open = resolve))
  return () => {
    if (++arrived === count) open()
    return all
  }
}
