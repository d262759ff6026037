import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { familyMark, type JwtStore, type Rotation } from '../../src/jwt/jwt-store.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { JwtBackend } from '../support/jwt-backends.js'
import { waitFor } from '../support/wait-for.js'

const PREFIX = 'vextrus-jwt:'
const { jwt: KEYS } = new Keyspace(PREFIX)
/** Longer than any run. */
const LONG_MS = 3_600_000

/** What every store of revocations promises the engine: the port, as one suite. Each store is a client of its own. */
export function jwtStoreContract(name: string, makeBackend: () => Promise<JwtBackend>): void {
  describe(`the store of revocations on ${name}`, () => {
    let backend: JwtBackend
    let one: JwtStore
    let other: JwtStore
    let id: string
    let tests = 0

    beforeAll(async () => {
      backend = await makeBackend()
      ;[one, other] = [await backend.store(PREFIX), await backend.store(PREFIX)]
    })
    beforeEach(() => {
      id = `id${++tests}`
    })
    afterAll(() => backend.close())

    const value = async (mark: string, store = other): Promise<string | null> => (await store.read([mark]))[0]!.value
    const elapse = (ms: number): Promise<void> => backend.server.elapse(ms)
    /** Whether the server has a key; where there is no server, what it should have. */
    async function exists(mark: string, otherwise: boolean): Promise<boolean> {
      const { command } = backend.server
      return command === null ? otherwise : (await command(KEYS + mark, 'EXISTS', KEYS + mark)) === 1
    }

    describe('a mark', () => {
      it('stands where it was set, for every client, and nowhere else', async () => {
        const marks = Array.from({ length: 70 }, (_, i) => `{j:${id}-${i}}`)
        expect(await other.read(marks)).toEqual(marks.map(() => ({ value: null })))
        const set = marks.filter((_, i) => i % 3 === 0)
        await Promise.all(set.map((mark) => one.mark(mark, { inMs: LONG_MS })))
        const expected = marks.map((_, i) => ({ value: i % 3 === 0 ? '1' : null }))
        expect([await one.read(marks), await other.read(marks)]).toEqual([expected, expected])
        expect(await one.read([])).toEqual([])
      })

      it('ends on the store’s clock, at a time or after one', async () => {
        await one.mark(`{j:${id}a}`, { atMs: Math.ceil(await backend.nowMs()) + LONG_MS })
        await one.mark(`{j:${id}b}`, { inMs: 60 })
        await one.mark(`{j:${id}c}`, { atMs: Math.ceil(await backend.nowMs()) + 60 })
        await elapse(61)
        expect([await value(`{j:${id}a}`), await value(`{j:${id}b}`), await value(`{j:${id}c}`)]).toEqual([
          ...['1', null, null],
        ])
      })

      it('whose end is over is not set', async () => {
        const marks = [`{j:${id}a}`, `{j:${id}b}`]
        await one.mark(marks[0]!, { atMs: Math.floor(await backend.nowMs()) - 1 })
        await one.mark(marks[1]!, { atMs: 0 })
        for (const mark of marks) expect([await value(mark), await exists(mark, false)]).toEqual([null, false])
      })

      it('is never shortened, and may be prolonged', async () => {
        const [kept, prolonged] = [`{j:${id}a}`, `{j:${id}b}`]
        await one.mark(kept, { inMs: LONG_MS })
        await other.mark(kept, { inMs: 30 })
        await other.mark(kept, { atMs: 1 })
        await one.mark(prolonged, { inMs: 30 })
        await other.mark(prolonged, { inMs: LONG_MS })
        await elapse(31)
        expect([await value(kept), await value(prolonged)]).toEqual(['1', '1'])
      })
    })

    describe('a second before which all is revoked', () => {
      it('is the store’s own where none is given', async () => {
        const before = Math.floor((await backend.nowMs()) / 1_000)
        const reached = await one.markBefore(`{u:${id}}`, null, LONG_MS)
        expect(reached).toBeGreaterThanOrEqual(before)
        expect(reached).toBeLessThanOrEqual((await backend.nowMs()) / 1_000)
        expect(await value(`{u:${id}}`)).toBe(String(reached))
      })

      it('never goes back', async () => {
        const mark = `{u:${id}}`
        const now = Math.floor((await backend.nowMs()) / 1_000)
        const steps: number[] = []
        for (const second of [0, 5, 4, 999, 1_000, 7]) steps.push(await one.markBefore(mark, second, LONG_MS))
        expect(steps).toEqual([0, 5, 5, 999, 1_000, 1_000])
        expect(await other.markBefore(mark, now + 5_000, LONG_MS)).toBe(now + 5_000)
        expect(await one.markBefore(mark, null, LONG_MS)).toBe(now + 5_000)
        expect(await value(mark)).toBe(String(now + 5_000))
      })

      it('of many at once is the last of them', async () => {
        const seconds = Array.from({ length: 40 }, (_, i) => 1_000 + ((i * 17) % 40))
        await Promise.all(
          seconds.map((second, i) => (i % 2 === 0 ? one : other).markBefore(`{u:${id}}`, second, LONG_MS)),
        )
        expect(await value(`{u:${id}}`)).toBe('1039')
      })

      it('is kept for so long after now, and after itself where it is to come', async () => {
        const now = Math.floor((await backend.nowMs()) / 1_000)
        await one.markBefore(`{u:${id}a}`, 1_000, 60)
        await one.markBefore(`{u:${id}b}`, now + 3_600, 60)
        await one.markBefore(`{u:${id}c}`, 1_000, LONG_MS)
        await one.markBefore(`{u:${id}c}`, 1_001, 60)
        await elapse(61)
        expect([await value(`{u:${id}a}`), await value(`{u:${id}b}`), await value(`{u:${id}c}`)]).toEqual([
          ...[null, String(now + 3_600), '1001'],
        ])
      })
    })

    describe('a family', () => {
      const rotate = (from: string, to: string, graceMs = LONG_MS, store = one): Promise<Rotation> =>
        store.rotate({ family: id, from, to, ttlMs: LONG_MS, graceMs })

      it('hands its token on, one after the other, to any client', async () => {
        await one.begin(id, 'a', LONG_MS)
        expect(await rotate('a', 'b')).toEqual({ outcome: 'rotated', token: 'b' })
        expect(await rotate('b', 'c', LONG_MS, other)).toEqual({ outcome: 'rotated', token: 'c' })
        expect(await rotate('c', 'd')).toEqual({ outcome: 'rotated', token: 'd' })
        expect(await value(familyMark(id))).toBeNull()
      })

      it('answers the token of now to the one before, within the grace, as often as it is asked', async () => {
        await one.begin(id, 'a', LONG_MS)
        await rotate('a', 'b')
        for (const to of ['c', 'd']) expect(await rotate('a', to)).toEqual({ outcome: 'repeated', token: 'b' })
        expect(await rotate('b', 'e')).toEqual({ outcome: 'rotated', token: 'e' })
      })

      it('ends when the token before comes after the grace', async () => {
        await one.begin(id, 'a', LONG_MS)
        await rotate('a', 'b')
        await elapse(31)
        expect(await rotate('a', 'c', 30)).toEqual({ outcome: 'reused' })
        expect(await value(familyMark(id))).toBe('1')
        // Nobody knows whose the last one is.
        expect([await rotate('b', 'd'), await rotate('a', 'd')]).toEqual([
          { outcome: 'revoked' },
          { outcome: 'revoked' },
        ])
      })

      it('ends at once when a token comes that is neither, within the grace too', async () => {
        await one.begin(id, 'a', LONG_MS)
        await rotate('a', 'b')
        await rotate('b', 'c')
        expect(await rotate('a', 'x')).toEqual({ outcome: 'reused' })
        expect(await rotate('c', 'd')).toEqual({ outcome: 'revoked' })
        expect([await exists(`{f:${id}}`, false), await exists(familyMark(id), true)]).toEqual([false, true])
      })

      it('of which two ask at once hands its token to one, and answers the same to the others', async () => {
        await one.begin(id, 'a', LONG_MS)
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, i) => rotate('a', `to${i}`, LONG_MS, i % 2 === 0 ? one : other)),
        )
        const rotated = answers.filter(({ outcome }) => outcome === 'rotated')
        expect(rotated).toHaveLength(1)
        for (const { token } of answers) expect(token).toBe(rotated[0]!.token)
        expect(answers.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(19)
      })

      it('that was ended hands on nothing, and can’t begin again', async () => {
        await one.begin(id, 'a', LONG_MS)
        await other.end(id, LONG_MS)
        expect(await rotate('a', 'b')).toEqual({ outcome: 'revoked' })
        await one.begin(id, 'c', LONG_MS)
        expect(await rotate('c', 'd')).toEqual({ outcome: 'revoked' })
        expect(await value(familyMark(id))).toBe('1')
      })

      it('that nobody knows, or whose time is over, is unknown; and its end marks it all the same', async () => {
        expect(await rotate('a', 'b')).toEqual({ outcome: 'unknown' })
        await one.begin(id, 'a', 30)
        await elapse(31)
        expect(await rotate('a', 'b')).toEqual({ outcome: 'unknown' })
        await one.end(id, LONG_MS)
        expect(await rotate('a', 'b')).toEqual({ outcome: 'revoked' })
      })

      it('lives on from each of its tokens', async () => {
        await one.begin(id, 'a', 30_000)
        await rotate('a', 'b')
        const { command } = backend.server
        const key = `${KEYS}{f:${id}}`
        if (command !== null) expect(Number(await command(key, 'PTTL', key))).toBeGreaterThan(LONG_MS / 2)
        else await elapse(LONG_MS - 1)
        expect(await rotate('b', 'c')).toEqual({ outcome: 'rotated', token: 'c' })
      })
    })

    it('tells every client of each write of a mark, by its name', async () => {
      const heard: string[][] = [[], []]
      const stops = [one, other].map(({ changes }, i) =>
        changes.listen({ invalidate: (mark) => heard[i]!.push(mark), reset: () => undefined }),
      )
      await one.mark(`{j:${id}}`, { inMs: LONG_MS })
      await other.mark(`{t:${id}}`, { atMs: Math.ceil(await backend.nowMs()) + LONG_MS })
      await one.markBefore(`{u:${id}:t}`, null, LONG_MS)
      await one.end(`${id}ended`, LONG_MS)
      await one.begin(id, 'a', LONG_MS)
      await other.rotate({ family: id, from: 'x', to: 'y', ttlMs: LONG_MS, graceMs: 0 })
      const expected = [`{j:${id}}`, `{t:${id}}`, `{u:${id}:t}`, familyMark(`${id}ended`), familyMark(id)]
      for (const marks of heard) await waitFor('all to be told', () => expected.every((mark) => marks.includes(mark)))
      for (const stop of stops) stop()
      await one.mark(`{j:${id}later}`, { inMs: LONG_MS })
      expect(heard.flat()).not.toContain(`{j:${id}later}`)
    })

    it('keeps prefixes apart', async () => {
      const stranger = await backend.store('vextrus-others:')
      await one.mark(`{j:${id}}`, { inMs: LONG_MS })
      await one.begin(id, 'a', LONG_MS)
      expect(await value(`{j:${id}}`, stranger)).toBeNull()
      const asked = { family: id, from: 'a', to: 'b', ttlMs: LONG_MS, graceMs: 0 }
      expect(await stranger.rotate(asked)).toEqual({ outcome: 'unknown' })
    })
  })
}
