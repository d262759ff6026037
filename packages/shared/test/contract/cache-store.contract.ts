import { beforeEach, describe, expect, it } from 'vitest'
import type { StoreBackend } from '../support/store-backends.js'
import { waitFor } from '../support/wait-for.js'
import { entriesContract } from './cache-store-entries.contract.js'
import { holdsContract } from './cache-store-holds.contract.js'
import { patternsContract } from './cache-store-patterns.contract.js'
import { marksOf, ODD_KEYS, StoreFixture } from './store-fixture.js'
import { onWake } from '../support/manual-pushes.js'

/** What every store of the cache promises the engine: the port, as one suite. */
export function cacheStoreContract(name: string, makeBackend: () => Promise<StoreBackend>): void {
  describe(`the cache store on ${name}`, () => {
    const at = new StoreFixture(makeBackend)
    let { backend, prefix, one, other } = at

    beforeEach(() => {
      ;({ backend, prefix, one, other } = at)
    })

    const granted = at.granted.bind(at)
    const entryOf = at.entryOf.bind(at)
    const fillOf = at.fillOf.bind(at)
    const stored = at.stored.bind(at)
    const read = at.read.bind(at)
    const woken = at.woken.bind(at)

    describe('the clock', () => {
      it('is absent until somebody creates it, and reading creates nothing', async () => {
        expect((await one.read(['k'], null)).clock).toMatchObject({ g: null, base: true, tags: [], seqs: [] })
        expect((await one.read(['k'], 2)).clock).toMatchObject({ g: null, base: false })
        expect(await one.tags(['x'])).toMatchObject({ g: null, seqs: [null] })
        expect((await one.acquire([{ key: 'k', token: 't', ttlMs: 1_000 }], null)).clock.g).toBeNull()
      })

      it('is created once, whoever comes first, and is the same for everybody', async () => {
        const clocks = await Promise.all([one, other, one, other].map((store) => store.createClock()))
        expect(new Set(clocks.map(({ g }) => g)).size).toBe(1)
        expect(clocks[0]).toMatchObject({ g: expect.stringMatching(/^\d{14}$/), f: 0, seqs: [] })
        expect(Number(clocks[0]!.g)).toBeGreaterThanOrEqual(2 ** 45)
        expect(await other.tags([])).toEqual(clocks[0])
      })

      it('is another one, never an old one, after it was lost', async () => {
        const seen = new Set<string>()
        for (let i = 0; i < 5; i++) {
          await one.bumpTags(['x'], 100)
          seen.add((await other.tags([])).g!)
          await backend.loseClock(prefix)
          expect((await other.tags(['x'])).g).toBeNull()
        }
        expect(seen.size).toBe(5)
      })

      it('has no mark of the clock before it', async () => {
        await one.bumpTags(['x', 'y'], 100)
        await backend.loseClock(prefix)
        await one.bumpTags(['y'], 100)
        const { s, seqs } = await other.tags(['x', 'y'])
        expect(seqs).toEqual([null, s - 1])
      })

      it('gets a new generation by clear, and keeps its marks', async () => {
        await one.bumpTags(['x'], 100)
        const before = await one.tags(['x'])
        const answered = await one.clear()
        const after = await other.tags(['x'])
        expect(after.g).toBe(answered)
        expect(Number(after.g)).toBeGreaterThan(Number(before.g))
        expect({ ...after, g: before.g }).toEqual(before)
      })

      it('is created by clear when there was none', async () => {
        const answered = await one.clear()
        expect(answered).toMatch(/^\d{14}$/)
        expect((await other.tags([])).g).toBe(answered)
      })
    })

    describe('marks (R1)', () => {
      it('lie below the sequence that their call ends on: an inclusive delta from there repeats none', async () => {
        const { s } = await one.createClock()
        await one.bumpTags(['x', 'y'], 100)
        const after = await other.tags(['x', 'y', 'z'])
        expect(after.s).toBeGreaterThan(s + 1)
        expect(after.seqs).toEqual([after.s - 1, after.s - 1, null])
        expect(marksOf((await other.read([], after.s)).clock)).toEqual({})
        expect(marksOf((await other.read([], s)).clock)).toEqual({ x: after.s - 1, y: after.s - 1 })
      })

      it('come in a delta each once, with the last sequence', async () => {
        const { s } = await one.createClock()
        for (const tags of [['x', 'y'], ['x'], ['x', 'z']]) await one.bumpTags(tags, 100)
        const { clock } = await other.read([], s)
        expect([...clock.tags].sort()).toEqual(['x', 'y', 'z'])
        expect(marksOf(clock)).toEqual({ x: clock.s! - 1, y: clock.s! - 5, z: clock.s! - 1 })
        expect(clock).toMatchObject({ g: (await one.tags([])).g, full: false, base: false })
      })

      it('beyond the most that are kept go, the oldest first, and the floor rises to the last that went', async () => {
        for (let i = 0; i < 130; i++) await one.bumpTags([`t${i}`], 100)
        const { s, f, seqs } = await other.tags(Array.from({ length: 130 }, (_, i) => `t${i}`))
        const kept = seqs.flatMap((seq, i) => (seq === null ? [] : [i]))
        expect(kept.length).toBeLessThanOrEqual(100)
        expect(kept.length).toBeGreaterThan(90)
        expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 130 - kept.length + i))
        expect(f).toBe(seqs[kept[0]!]! - 2)
        expect((await other.read([], s)).clock.g).not.toBeNull()
      })

      it('of one call that are more than are kept leave a floor above every entry from before', async () => {
        const { s } = await one.createClock()
        await one.bumpTags(
          Array.from({ length: 2_500 }, (_, i) => `t${i}`),
          100,
        )
        const after = await other.tags([])
        expect(after.f).toBe(after.s - 1)
        expect(after.f).toBeGreaterThan(s)
      })

      it('that moved are young again: the floor passes over them', async () => {
        await one.bumpTags(['hot'], 100)
        for (let i = 0; i < 150; i++) await one.bumpTags([`t${i}`, 'hot'], 100)
        const { s, seqs } = await other.tags(['hot'])
        expect(seqs).toEqual([s - 1])
      })

      it('of thousands are cut, and the delta says so; a delta of hundreds is whole', async () => {
        const { s } = await one.createClock()
        const many = Array.from({ length: 1_000 }, (_, i) => `t${i}`)
        await one.bumpTags(many, 100_000)
        const whole = (await other.read([], s)).clock
        expect(whole.full).toBe(false)
        expect(whole.tags).toHaveLength(1_000)
        for (let i = 0; i < 3; i++)
          await one.bumpTags(
            many.map((tag) => `${i} ${tag}`),
            100_000,
          )
        expect((await other.read([], s)).clock).toMatchObject({ g: whole.g, full: true })
      })

      it.each(['#g', '#s', '#f', 't:x', ' ', 'a b', 'x,y', '%20', 'ü🙂', '\'"\\', '{a}', '-', 'x'.repeat(1_024)])(
        'of a tag with odd characters are its own: %s',
        async (tag) => {
          const { g, s } = await one.createClock()
          await one.bumpTags([tag], 100)
          const after = await other.tags([tag, 'g', 's', 'f'])
          expect(after).toMatchObject({ g, s: s + 2, f: 0, seqs: [s + 1, null, null, null] })
          expect(marksOf((await other.read([], s)).clock)).toEqual({ [tag]: s + 1 })
        },
      )
    })

    describe('a lease (R7)', () => {
      it('is granted to the first, and everybody else is told by whom it is held and for how long', async () => {
        const [first, second] = await Promise.all([
          one.acquire([{ key: 'k', token: 'mine', ttlMs: 5_000 }], null),
          other.acquire([{ key: 'k', token: 'theirs', ttlMs: 5_000 }], null),
        ])
        const [winner, loser] = first.leases[0]!.granted ? [first, second] : [second, first]
        expect(winner.leases[0]).toMatchObject({ granted: true, remainingMs: 5_000 })
        expect(loser.leases[0]).toMatchObject({ granted: false, value: winner.leases[0]!.value })
        expect(loser.leases[0]!.remainingMs).toBeGreaterThan(0)
        expect(loser.leases[0]!.remainingMs).toBeLessThanOrEqual(5_000)
      })

      it('is the same again for its own token: the first answer may have been lost', async () => {
        const request = { key: 'k', token: 'mine', ttlMs: 5_000 }
        const [first] = (await one.acquire([request], null)).leases
        const [again] = (await one.acquire([request], null)).leases
        expect(again).toMatchObject({ granted: true, value: first!.value })
      })

      it('taken once more by a late copy, after it was deleted, is another one', async () => {
        const request = { key: 'k', token: 'mine', ttlMs: 5_000 }
        const [first] = (await one.acquire([request], null)).leases
        await other.delete(['k'])
        await backend.elapse(1)
        const [copy] = (await one.acquire([request], null)).leases
        expect(copy!.granted).toBe(true)
        expect(copy!.value).not.toBe(first!.value)
        const fill = await fillOf({ key: 'k', value: first!.value })
        expect((await one.fill([fill], [])).stored).toEqual([false])
        expect(await read('k')).toBeNull()
      })

      it('of a token that begins like another one is not that one', async () => {
        await one.acquire([{ key: 'k', token: 'ab', ttlMs: 5_000 }], null)
        expect((await one.acquire([{ key: 'k', token: 'a', ttlMs: 5_000 }], null)).leases[0]!.granted).toBe(false)
      })

      it('comes with the entries and the clock, of one moment', async () => {
        const entry = await stored('k', { tags: ['x'] })
        await one.bumpTags(['x'], 100)
        const reply = await other.acquire(
          [
            { key: 'k', token: 'a', ttlMs: 1_000 },
            { key: 'none', token: 'b', ttlMs: 1_000 },
          ],
          entry.s,
        )
        expect(reply.entries).toEqual([expect.objectContaining({ payload: entry.payload, tags: ['x'] }), null])
        expect(marksOf(reply.clock)).toEqual({ x: entry.s + 1 })
        const source = { epoch: expect.stringMatching(/^\S{8}$/), nowMs: expect.any(Number) }
        expect(reply.sources).toEqual([source, source])
        expect(reply.leases.map((lease) => lease?.granted)).toEqual([true, true])
      })

      it('ends with its time, and is granted to the next', async () => {
        await one.acquire([{ key: 'k', token: 'a', ttlMs: 40 }], null)
        await backend.elapse(60)
        expect((await granted('k', other)).value).toMatch(/^token-/)
      })

      it('is extended while it holds exactly this value', async () => {
        const lease = await granted('k', one, 2_000)
        expect(await one.renew([lease], 10_000)).toEqual([true])
        const [held] = (await other.acquire([{ key: 'k', token: 'b', ttlMs: 1_000 }], null)).leases
        expect(held!.granted).toBe(false)
        expect(held!.remainingMs).toBeGreaterThan(5_000)
      })

      it('that is gone, or another’s, is not extended and never made again', async () => {
        const lease = await granted('k')
        await backend.loseLease(prefix, 'k')
        expect(await one.renew([lease], 10_000)).toEqual([false])
        const theirs = await granted('k', other, 5_000)
        expect(await one.renew([lease, theirs], 10_000)).toEqual([false, true])
      })

      it('is given back by its holder alone', async () => {
        const lease = await granted('k')
        await other.release([{ key: 'k', value: 'somebody:1' }])
        expect((await other.acquire([{ key: 'k', token: 'b', ttlMs: 1_000 }], null)).leases[0]!.granted).toBe(false)
        await one.release([lease])
        await granted('k', other)
      })
    })

    describe('a fill (R8)', () => {
      it('stores under its lease, with what the grant knew, and gives the lease back', async () => {
        const lease = await granted('k')
        const fill = await fillOf(lease, { tags: ['x', 'odd, %tag'], codec: 't', payload: '"~D5"', deltaMs: 17 })
        await one.bumpTags(['x'], 100)
        const reply = await one.fill([fill], ['x', 'y'])
        expect(reply.stored).toEqual([true])
        const entry = await read('k')
        const { g, s } = fill.entry
        expect(entry).toMatchObject({ g, s, e: fill.e, codec: 't', payload: '"~D5"', deltaMs: 17, version: null })
        expect(entry!.tags).toEqual(['x', 'odd, %tag'])
        expect(reply.clock).toEqual({ g, s: s + 2, f: 0, seqs: [s + 1, null] })
        await granted('k', other)
      })

      it('is refused without its lease, under another’s and after its time', async () => {
        const [gone, theirs, late] = [await granted('a'), await granted('b'), await granted('c', one, 40)]
        await other.delete(['a', 'b'])
        await granted('b', other)
        await backend.elapse(60)
        const fills = [await fillOf(gone), await fillOf(theirs), await fillOf(late), await fillOf(await granted('d'))]
        expect((await one.fill(fills, [])).stored).toEqual([false, false, false, true])
        expect(await Promise.all(['a', 'b', 'c'].map((key) => read(key)))).toEqual([null, null, null])
      })

      it('is done once: the lease is gone with it', async () => {
        const fill = await fillOf(await granted('k'))
        await one.fill([fill], [])
        await other.delete(['k'])
        expect((await one.fill([fill], [])).stored).toEqual([false])
      })

      it('lives for its time, and the store itself ends it', async () => {
        const fill = await fillOf(await granted('k'), { ttlMs: 1_000 })
        const before = (await one.read(['k'], null)).sources[0]!.nowMs
        await one.fill([fill], [])
        const { entries, sources } = await other.read(['k'], null)
        const { nowMs } = sources[0]!
        expect(entries[0]!.hardAt).toBe(entries[0]!.softAt)
        // What the store says of its own time may lag a little behind.
        expect(entries[0]!.hardAt).toBeGreaterThanOrEqual(before + 1_000)
        expect(entries[0]!.hardAt - nowMs).toBeLessThan(2_500)
        const physical = await backend.physicalTtl(prefix, 'k')
        if (physical !== null) expect(physical).toBeGreaterThan(100)
        if (physical !== null) expect(physical).toBeLessThanOrEqual(1_000)
        await backend.elapse(1_020)
        expect(await read('k')).toBeNull()
      })
    })

    describe('a set (R14)', () => {
      it('stores over what is there and drops the lease of a load under way', async () => {
        const lease = await granted('k')
        await stored('k', { payload: '1' })
        await stored('k', { payload: '2' })
        expect((await read('k'))!.payload).toBe('2')
        expect((await one.fill([await fillOf(lease)], [])).stored).toEqual([false])
        expect((await read('k'))!.payload).toBe('2')
      })

      it('carries the epoch that reads of its key are told', async () => {
        await stored('k')
        const { entries, sources } = await other.read(['k'], null)
        expect(entries[0]!.e).toBe(sources[0]!.epoch)
      })

      it('comes back with the delta since the sequence that it was stored with', async () => {
        const entries = [await entryOf('a', { tags: ['x'] }), await entryOf('b')]
        await other.bumpTags(['x'], 100)
        const { outcomes, clock } = await one.set(entries, entries[0]!.s)
        expect(outcomes).toEqual(['stored', 'stored'])
        expect(marksOf(clock)).toEqual({ x: entries[0]!.s + 1 })
        expect(clock).toMatchObject({ g: entries[0]!.g, s: entries[0]!.s + 2, base: false, full: false })
      })

      it('tells a clock that went back, or was lost', async () => {
        const entry = await entryOf('k')
        expect((await one.set([entry], entry.s + 100)).clock.s).toBeNull()
        await backend.loseClock(prefix)
        expect((await one.set([entry], entry.s)).clock.g).toBeNull()
      })
    })

    describe('a touch (R14)', () => {
      it('gives the entry a new life from now, and changes nothing else', async () => {
        await stored('k', { ttlMs: 5_000, tags: ['x'], deltaMs: 9, payload: '{"a":1}' })
        const seen = (await read('k'))!
        expect(await one.touch('k', seen, { ttlMs: 60_000, graceMs: 0 })).toBe(true)
        const after = (await read('k'))!
        expect(after.hardAt).toBeGreaterThan(seen.hardAt + 50_000)
        expect({ ...after, softAt: seen.softAt, hardAt: seen.hardAt }).toEqual(seen)
        const physical = await backend.physicalTtl(prefix, 'k')
        if (physical !== null) expect(physical).toBeGreaterThan(50_000)
      })

      it('leaves an entry of another load alone, and makes none', async () => {
        await stored('k')
        const seen = (await read('k'))!
        await one.bumpTags(['x'], 100)
        await stored('k', { payload: '"new"', ttlMs: 5_000 })
        expect(await one.touch('k', seen, { ttlMs: 60_000, graceMs: 0 })).toBe(false)
        expect((await read('k'))!.payload).toBe('"new"')
        await one.delete(['k'])
        expect(await one.touch('k', seen, { ttlMs: 60_000, graceMs: 0 })).toBe(false)
        expect(await read('k')).toBeNull()
      })
    })

    describe('a delete (R11)', () => {
      it('removes entries and says which were there', async () => {
        await stored('a')
        await stored('c')
        expect(await other.delete(['a', 'b', 'c'])).toEqual([true, false, true])
        expect((await one.read(['a', 'b', 'c'], null)).entries).toEqual([null, null, null])
      })

      it('drops the leases, so that what is loading now is not stored', async () => {
        const fill = await fillOf(await granted('k'))
        expect(await other.delete(['k'])).toEqual([false])
        expect((await one.fill([fill], [])).stored).toEqual([false])
      })
    })

    describe('wakes', () => {
      it('come for a fill, a set, a release, and a delete', async () => {
        const fill = await fillOf(await granted('filled'))
        expect(await woken('filled', () => one.fill([fill], []))).toContain('filled')
        expect(await woken('set', () => stored('set'))).toContain('set')
        expect(await woken('set', () => one.delete(['set']))).toContain('set')
        const lease = await granted('released')
        expect(await woken('released', () => one.release([lease]))).toContain('released')
      })

      it('come for a delete that found a lease and no entry: there is somebody who waits', async () => {
        await granted('k')
        expect(await woken('k', () => one.delete(['k']))).toContain('k')
      })

      it('stop when the listener has stopped', async () => {
        const [heard, later]: [unknown[], unknown[]] = [[], []]
        const stop = onWake(other.pushes, (key) => heard.push(key))
        stop()
        const stopLater = onWake(other.pushes, (key) => later.push(key))
        await stored('k')
        await waitFor('the wake', () => later.includes('k'))
        stopLater()
        expect(heard).toEqual([])
      })
    })

    describe('a read (R6)', () => {
      it('answers each key in its place, however many', async () => {
        const keys = Array.from({ length: 1_203 }, (_, i) => `k${i}`)
        const some = keys.filter((_, i) => i % 3 === 0)
        const { s } = await one.createClock()
        await one.set(await Promise.all(some.map((key) => entryOf(key, { payload: `"${key}"` }))), s)
        const { entries } = await other.read(keys, s)
        expect(entries.map((entry) => entry?.payload ?? null)).toEqual(
          keys.map((key, i) => (i % 3 === 0 ? `"${key}"` : null)),
        )
      })

      it('answers one key more than once', async () => {
        await stored('k')
        expect((await other.read(['k', 'none', 'k'], null)).entries.map(Boolean)).toEqual([true, false, true])
      })

      it('tells of another prefix nothing', async () => {
        await stored('k')
        const stranger = await backend.store(`vextrus.${prefix}`)
        expect((await stranger.read(['k'], null)).entries).toEqual([null])
        await stranger.clear()
        await stranger.bumpTags(['x'], 100)
        expect((await one.tags(['x'])).seqs).toEqual([null])
      })

      it.each(['"\\n\\r\\u0000"', '"ü🙂"', `"${'x'.repeat(300_000)}"`, '0', 'null', '{"v1 j":"v1 j 1 "}'])(
        'brings a payload back as it was: %#',
        async (payload) => {
          await stored('k', { payload })
          expect((await read('k'))!.payload).toBe(payload)
        },
      )
    })

    describe('a key', () => {
      it.each(ODD_KEYS)('of odd characters has an entry, a lease and a wake of its own: %s', async (key) => {
        const lease = await granted(key)
        await granted(`${key}.`)
        const fill = await fillOf(lease)
        await woken(key, async () => expect((await one.fill([fill], [])).stored).toEqual([true]))
        expect((await other.read([key, `${key}.`, `.${key}`], null)).entries.map(Boolean)).toEqual([true, false, false])
        await granted(key)
        await woken(key, () => one.delete([`${key}.`, key]))
      })

      it('of 1,024 bytes is whole', async () => {
        const [key, twin] = [`${'ü'.repeat(511)}ab`, `${'ü'.repeat(511)}ac`]
        await stored(key)
        expect((await other.read([key, twin], null)).entries.map(Boolean)).toEqual([true, false])
      })
    })

    entriesContract(at)
    holdsContract(at)
    patternsContract(at)
  })
}
