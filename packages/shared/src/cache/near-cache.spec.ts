import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeldLoad, idle } from '../../test/support/memory-world.js'
import { answerOf, kept, NearWorld, openTickets } from '../../test/support/near-world.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { runAsTenant } from './tenancy.js'

describe('statistics', () => {
  it('count each hit of L1 once, whatever way it takes, and by its group', async () => {
    const world = new NearWorld()
    await world.stored('user:1', 'v', 'x')
    const { cache } = world.near()
    expect(await cache.get('user:1')).toBe('v')
    expect(cache.getStatistics()).toMatchObject({
      ...{ hits: 1, misses: 0, l1: { hits: 0, misses: 1 }, l2: { hits: 1, misses: 0 } },
      groups: { user: { hits: 1, misses: 0 } },
    })
    // Unpacked, then at once, and after waiting for a delta.
    expect(await cache.get('user:1')).toBe('v')
    expect(await cache.get('user:1')).toBe('v')
    await world.process().cache.invalidateByTag('y')
    expect(await cache.get('user:1')).toBe('v')
    expect(cache.getStatistics()).toMatchObject({ hits: 4, l1: { hits: 3, misses: 1 }, l2: { hits: 1, misses: 0 } })
    await cache.lookup('user:1')
    await cache.getOrSet('user:1', () => 'called')
    await cache.getMany(['user:1', 'user:1'])
    await cache.getOrSetMany(['user:1'], { key: (key) => key, load: async () => ['called'] })
    await cache.get('user:2')
    expect(cache.getStatistics()).toMatchObject({
      ...{ hits: 9, misses: 1, hitRate: 90, l1: { hits: 8, misses: 2 }, l2: { hits: 1, misses: 1 }, loads: 0 },
      groups: { user: { hits: 9, misses: 1, hitRate: 90 } },
    })
  })

  it('count neither has nor ttl nor touch, wherever they are answered from', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const { cache } = await world.keeping(['k'])
    expect([await cache.has('k'), await cache.ttl('k')]).toEqual([true, 300])
    await cache.touch('k', 60)
    await cache.has('gone')
    expect(cache.getStatistics()).toMatchObject({
      hits: 0,
      misses: 0,
      l1: { hits: 0, misses: 0 },
      l2: { hits: 0, misses: 0 },
    })
    expect(cache.getStatistics().groups).toEqual({})
  })

  it('count a call past L1 as one of the store', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const { cache } = await world.keeping(['k'])
    expect(await cache.getOrSet('k', () => 'called', { l1: false })).toBe('v')
    expect(cache.getStatistics()).toMatchObject({ l1: { hits: 0, misses: 0 }, l2: { hits: 1, misses: 0 } })
  })

  it('begin anew while entries lie in L1, and go on with them', async () => {
    const world = new NearWorld()
    await world.stored('user:1', 'v')
    const { cache } = await world.keeping(['user:1'])
    await cache.get('user:1')
    cache.resetStatistics()
    expect(cache.getStatistics()).toMatchObject({ hits: 0, l1: { hits: 0, misses: 0 }, groups: {} })
    await cache.get('user:1')
    expect(cache.getStatistics()).toMatchObject({ hits: 1, groups: { user: { hits: 1 } } })
  })

  it('lose no hit of an entry whose group was not busy enough to be kept', async () => {
    const world = new NearWorld()
    await world.stored('quiet:1', 'v')
    const { cache } = await world.keeping(['quiet:1'])
    for (let i = 0; i < 3; i++) await cache.getMany(Array.from({ length: 1_001 }, (_, n) => `busy${n}`))
    const { hits } = cache.getStatistics()
    for (let i = 0; i < 5_000; i++) await cache.get('quiet:1')
    expect(cache.getStatistics()).toMatchObject({ hits: hits + 5_000, groups: { quiet: { hits: 5_000 } } })
  })

  it('count a stale hit of L1 as a hit, and as stale', async () => {
    const world = new NearWorld()
    await world.process().cache.set('k', 'v', { ttl: 10, grace: '1m' })
    const { cache } = await world.keeping(['k'])
    await world.clock.advance('11s')
    expect(await cache.lookup('k')).toMatchObject({ value: 'v', level: 'l1', stale: true, ttlMs: 0 })
    expect(cache.getStatistics()).toMatchObject({ hits: 1, stale: 1, l1: { hits: 1 } })
  })

  it('show what L1 weighs, and nothing of what has gone', async () => {
    const world = new NearWorld()
    await world.stored('k', 'x'.repeat(10_000))
    const { cache } = await world.keeping(['k'])
    expect(cache.getStatistics().bytes).toBeGreaterThan(20_000)
    await cache.delete('k')
    expect(cache.getStatistics().bytes).toBe(0)
  })
})

describe('a value lies in L1', () => {
  it('for l1.ttl at most, and is read anew then', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = await world.keeping(['k'], { l1: { ttl: '10s' } })
    await world.clock.advance(9_999)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    await world.clock.advance(1)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
  })

  it('no longer than its entry, grace included', async () => {
    const world = new NearWorld()
    const { cache } = world.process()
    await cache.set('short', 'v', { ttl: 5 })
    await cache.set('graced', 'v', { ttl: 5, grace: 5 })
    const near = await world.keeping(['short', 'graced'])
    await world.clock.advance(4_999)
    for (const key of ['short', 'graced']) expect(await answerOf(near, key)).toEqual(['v', 'l1'])
    await world.clock.advance(1)
    expect(await answerOf(near, 'short')).toEqual([null, null])
    expect(await answerOf(near, 'graced')).toEqual(['v', 'l1'])
    await world.clock.advance(5_000)
    expect(await answerOf(near, 'graced')).toEqual([null, null])
  })

  it('no longer than its entry though its reply was long under way', async () => {
    const world = new NearWorld()
    await world.process().cache.set('k', 'v', { ttl: 5 })
    const near = world.near()
    near.store.hold('read')
    const reading = near.cache.get('k')
    const read = await near.store.next('read')
    read.arrive()
    await world.clock.advance('4s')
    read.reply()
    await reading
    near.store.pass('read')
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    expect((await near.cache.lookup('k')).ttlMs).toBe(1_000)
    await world.clock.advance('1s')
    expect(await answerOf(near, 'k')).toEqual([null, null])
  })

  it('as long as the longest of the callers who shared its read wants', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = world.near()
    const l1 = (ttl: string) => ({ l1: { ttl } })
    await Promise.all([
      near.cache.getOrSet('k', () => 'called', l1('2s')),
      near.cache.getOrSet('k', () => 'called', { l1: false }),
      near.cache.getOrSet('k', () => 'called', l1('5s')),
    ])
    await world.clock.advance(4_999)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l1'])
    await world.clock.advance(1)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
  })

  it('not at all when nobody who read it wants that', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = world.near()
    for (let i = 0; i < 2; i++) await near.cache.getOrSet('k', () => 'called', { l1: false })
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
  })

  it('is loaded anew behind the callers’ backs when it is stale, once, and by one caller (R15)', async () => {
    const world = new NearWorld()
    const load = new HeldLoad<string>()
    await world.process().cache.set('k', 'old', { ttl: 10, grace: '1m' })
    const near = await world.keeping(['k'])
    await world.clock.advance('11s')
    for (let i = 0; i < 3; i++) expect(await near.cache.getOrSet('k', load.load)).toBe('old')
    await idle()
    expect(load.calls).toBe(1)
    load.answer('new')
    await idle()
    expect(await near.cache.getOrSet('k', load.load)).toBe('new')
  })

  it('is loaded anew by chance before it is stale, the slower its load the sooner (R15)', async () => {
    const world = new NearWorld()
    const { cache } = world.near()
    const slow = new HeldLoad<string>()
    const loading = cache.getOrSet('k', slow.load, { ttl: 30 })
    await world.clock.advance('9s')
    slow.answer('old')
    await loading
    await idle()
    await cache.get('k')
    await cache.get('k')
    cache.resetStatistics()
    const again = new HeldLoad<string>()
    await world.clock.advance('25s')
    for (let i = 0; i < 100; i++) expect(await cache.getOrSet('k', again.load)).toBe('old')
    await idle()
    expect(again.calls).toBe(1)
    again.answer('new')
    expect(cache.getStatistics().l1.hits).toBeGreaterThanOrEqual(100)
    await idle()
    expect(await cache.get('k')).toBe('new')
  })
})

describe('nobody can change what others are handed out', () => {
  const plain = fc.jsonValue({ depthSize: 'medium' })

  it.each(['copy', 'frozen'] as const)('with values: %s, whatever is done to a value', async (values) => {
    const world = new NearWorld()
    const near = world.near({ l1: { values } })
    await fc.assert(
      fc.asyncProperty(
        fc.record({ value: plain, at: fc.date({ noInvalidDate: true }), bytes: fc.uint8Array() }),
        async (value) => {
          await near.cache.set('k', value)
          for (let i = 0; i < 4; i++) {
            const answer = i % 2 === 0 ? await near.cache.get('k') : await near.cache.getOrSet('k', () => 'called')
            expect(answer).toEqual(value)
            spoil(answer)
          }
        },
      ),
      { numRuns: 60 },
    )
    expect(near.cache.getStatistics().l1.hits).toBeGreaterThan(60)
  })

  it('not even through bytes that a serializer has cut out of what it was given', async () => {
    class Page {
      constructor(readonly bytes: Buffer) {}
    }
    const windows = {
      serialize: (value: unknown) => (value as { bytes: Buffer }).bytes,
      deserialize: (data: Buffer) => ({ bytes: data.subarray(2) }),
    }
    const classes = { ...windows, deserialize: (data: Buffer) => new Page(data.subarray(2)) }
    for (const serializer of [windows, classes]) {
      const world = new NearWorld()
      const { cache } = world.near({ serializer })
      await cache.set('k', { bytes: Buffer.from([1, 2, 3, 4]) })
      const answers = [
        ...(await cache.getMany<Page>(['k', 'k'])),
        await cache.get<Page>('k'),
        await cache.get<Page>('k'),
      ]
      for (const answer of answers) {
        expect([...answer!.bytes]).toEqual([3, 4])
        answer!.bytes.fill(9)
      }
      expect([...(await cache.get<Page>('k'))!.bytes]).toEqual([3, 4])
      expect(cache.getStatistics().l1.hits).toBe(3)
    }
  })

  it('with values: frozen everybody has one object, which can’t be changed, from the store too', async () => {
    const world = new NearWorld()
    await world.stored('k', { list: [{ a: 1 }] })
    const { cache } = world.near({ l1: { values: 'frozen' } })
    const answers = [await cache.get<{ list: { a: number }[] }>('k')]
    for (let i = 0; i < 3; i++) answers.push(await cache.get('k'))
    expect(answers[1]).toBe(answers[2])
    expect(answers[2]).toBe(answers[3])
    for (const answer of answers) {
      expect(() => answer!.list.push({ a: 2 })).toThrow(TypeError)
      expect(() => (answer!.list[0]!.a = 2)).toThrow(TypeError)
    }
  })

  it('but with values: shared they do', async () => {
    const world = new NearWorld()
    await world.stored('k', { a: 1 })
    const near = world.near({ l1: { values: 'shared' } })
    await kept(near, 'k')
    ;(await near.cache.get<{ a: number }>('k'))!.a = 2
    expect(await near.cache.get('k')).toEqual({ a: 2 })
  })

  it('and a field called __proto__ is a field', async () => {
    const world = new NearWorld()
    const hostile = JSON.parse('{"__proto__":{"admin":true},"in":{"__proto__":{"admin":true}}}') as { in: object }
    for (const values of ['copy', 'frozen', 'shared'] as const) {
      const near = world.near({ l1: { values } })
      await near.cache.set('k', hostile)
      for (let i = 0; i < 3; i++) {
        const answer = (await near.cache.get<{ in: object }>('k'))!
        expect(answer).toStrictEqual(hostile)
        for (const object of [answer, answer.in]) expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
      }
    }
    expect(({} as { admin?: true }).admin).toBeUndefined()
  })
})

describe('tenants', () => {
  it('are never answered what another one has in L1', async () => {
    const world = new NearWorld()
    const { cache } = world.near({ tenancy: { required: true } })
    const tenant = fc.constantFrom('a', 'b', 'c')
    const key = fc.constantFrom('product:1', 'product:2', 'a:b', 'b')
    const operation = fc.record({ tenant, key, write: fc.boolean(), user: fc.constantFrom(null, 'a', 'b') })
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
        for (const { tenant, key, write, user } of operations) {
          await runAsTenant(tenant, async () => {
            const scope = user === null ? cache.forTenant(tenant) : cache.forTenant(tenant).forUser(user)
            const owner = `${tenant}/${user ?? ''}/${key}`
            if (write) await scope.set(key, owner)
            else expect([null, owner]).toContain(await scope.get(key))
          })
        }
      }),
      { numRuns: 100 },
    )
    expect(cache.getStatistics().l1.hits).toBeGreaterThan(50)
  })

  it('are asked for at each hit where they are required: what lies in L1 is no way around', async () => {
    const world = new NearWorld()
    const { cache } = world.near({ tenancy: { required: true } })
    await runAsTenant('a', async () => {
      await cache.set('product:a:1', 'v')
      for (let i = 0; i < 3; i++) expect(await cache.get('product:a:1')).toBe('v')
    })
    expect(cache.getStatistics().l1.hits).toBe(2)
    await expect(cache.get('product:a:1')).rejects.toThrow(expect.objectContaining({ code: 'TENANT_KEY' }))
    await expect(runAsTenant('b', () => cache.get('product:a:1'))).rejects.toThrow()
    await expect(runAsTenant('b', () => cache.getOrSet('product:a:1', () => 'called'))).rejects.toThrow()
  })
})

describe('memory', () => {
  it('is bounded by entries and by bytes', async () => {
    const world = new NearWorld()
    const writer = world.process().cache
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    await writer.setMany(keys.map((key) => ({ key, value: 'x'.repeat(1_000) })))
    const [few, light] = [world.near({ l1: { maxEntries: 10 } }), world.near({ l1: { maxBytes: 20_000 } })]
    for (const { cache } of [few, light]) await cache.getMany(keys)
    const inL1 = async (near: typeof few): Promise<number> => {
      near.cache.resetStatistics()
      // From the youngest on: what is read from the store makes the oldest go.
      for (const key of [...keys].reverse()) await near.cache.get(key)
      return near.cache.getStatistics().l1.hits
    }
    expect(few.cache.getStatistics().bytes).toBeLessThan(10 * 3_000)
    expect(light.cache.getStatistics().bytes).toBeLessThanOrEqual(20_000)
    expect(await inL1(few)).toBe(10)
    expect(await inL1(light)).toBeLessThan(10)
  })

  it('is bounded by what values weigh once they are unpacked, not by what they were compressed to', async () => {
    const world = new NearWorld()
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
    const rows = Array.from({ length: 2_000 }, (_, id) => ({ id, name: 'always the same name' }))
    const { cache } = world.near({ l1: { maxBytes: 1_000_000 }, compression: { threshold: 1_000, algorithm: 'gzip' } })
    await cache.setMany(keys.map((key) => ({ key, value: rows })))
    await cache.getMany(keys)
    const compressed = cache.getStatistics().bytes
    expect(compressed).toBeLessThan(1_000_000)
    for (let i = 0; i < 2; i++) for (const key of keys) expect(await cache.get(key)).toEqual(rows)
    const { bytes, l1 } = cache.getStatistics()
    expect(bytes).toBeLessThanOrEqual(1_000_000)
    expect(bytes).toBeGreaterThan(300_000)
    // As many as there is room for, and not all.
    expect(l1.hits).toBeLessThan(40)
  })

  it('stays flat however many keys and tags come by, and no ticket stays open', async () => {
    const world = new NearWorld()
    const near = world.near({ l1: { maxEntries: 500 }, maxTags: 200 })
    const other = world.process({ maxTags: 200 }).cache
    const random = new SeededRandom(7)
    const round = async (): Promise<void> => {
      const keys = Array.from({ length: 500 }, () => `${random.int(1e9)}:${random.int(1e9)}`)
      await near.cache.setMany(
        keys
          .slice(0, 100)
          .map((key, i) => ({ key, value: { key, i }, ttl: 1, tags: [`t${random.int(1e9)}`, `u${i % 10}`] })),
      )
      await near.cache.getMany(keys)
      await near.cache.getMany(keys.slice(0, 100))
      await other.invalidateByTag([`u${random.int(10)}`, `v${random.int(1e9)}`])
      await near.cache.getMany(keys.slice(0, 200))
      await near.cache.getOrSet(keys[0]!, () => 'loaded', { ttl: 1, l1: random.chance(0.5) ? false : undefined })
      if (random.chance(0.1)) near.pushes.endEpoch('now and then')
      if (random.chance(0.5)) near.pushes.ping()
      await world.clock.advance(2_000)
      // What is not read again lies in the memory server until somebody looks.
      await other.getMany(keys.slice(0, 100))
    }
    for (let i = 0; i < 10; i++) await round()
    const before = heapUsed()
    for (let i = 0; i < 30; i++) await round()
    await idle()
    expect(heapUsed() - before).toBeLessThan(2_000_000)
    expect(openTickets(near)).toBe(0)
    expect(near.cache.getStatistics().l1.hits).toBeGreaterThan(1_000)
  })

  it('is given back when the cache closes, and nothing listens any more', async () => {
    const world = new NearWorld()
    await world.stored('k', 'v')
    const near = await world.keeping(['k'])
    expect(near.pushes.listening).toBeGreaterThan(0)
    await near.cache.close()
    expect(near.pushes.listening).toBe(0)
    expect(near.cache.getStatistics().bytes).toBe(0)
    expect(world.clock.pendingTimers).toBe(0)
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    expect(await answerOf(near, 'k')).toEqual(['v', 'l2'])
    expect(openTickets(near)).toBe(0)
  })
})

/** Whatever a caller may do to a value; what is frozen refuses. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const each of Object.values(value)) spoil(each)
  if (value instanceof Date) return void value.setTime(0)
  if (value instanceof Uint8Array) return void value.fill(0)
  if (Object.isFrozen(value)) return
  for (const name of Object.keys(value)) delete (value as Record<string, unknown>)[name]
  if (Array.isArray(value)) value.length = 0
  Object.assign(value, { spoiled: true })
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  gc()
  return process.memoryUsage().heapUsed
}
