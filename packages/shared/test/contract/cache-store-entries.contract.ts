import { describe, expect, it } from 'vitest'
import type { StoredEntry } from '../../src/cache/cache-store.js'
import type { StoreFixture } from './store-fixture.js'

/** What an entry is made of: its version (R14), its two expiries (R15), its bytes. */
export function entriesContract(at: StoreFixture): void {
  describe('a version (R14)', () => {
    const outcomeOf = async (key: string, version: string | null, payload = '"new"') => {
      const entry = await at.entryOf(key, { version, payload })
      return (await at.other.set([entry], entry.s)).outcomes[0]
    }

    it.each([
      ['1', '2'],
      ['9', '10'],
      ['0', '1'],
      ['9007199254740992', '9007199254740993'],
      ['99999999999999999999', '100000000000000000000'],
      ['9'.repeat(39), `1${'0'.repeat(39)}`],
    ])('is a whole number of any length: %s is older than %s', async (older, newer) => {
      await at.stored('k', { version: older })
      expect(await outcomeOf('k', newer)).toBe('stored')
      expect(await at.read('k')).toMatchObject({ version: newer, payload: '"new"' })
      expect(await outcomeOf('k', older, '"old"')).toBe('older')
      expect(await at.read('k')).toMatchObject({ version: newer, payload: '"new"' })
    })

    it('that is there already is stored again: its writer may not have heard the answer', async () => {
      await at.stored('k', { version: '7' })
      expect(await outcomeOf('k', '7')).toBe('stored')
      expect((await at.read('k'))!.payload).toBe('"new"')
    })

    it('that is older leaves the lease of a load under way alone; one that is stored drops it', async () => {
      await at.stored('k', { version: '7' })
      const lease = await at.granted('k')
      expect(await outcomeOf('k', '6')).toBe('older')
      expect(await at.held([lease])).toEqual(['k'])
      expect(await outcomeOf('k', '8')).toBe('stored')
      expect(await at.held([lease])).toEqual([])
    })

    it('that is older changes nothing of what is there, nor of how long it lives', async () => {
      await at.stored('k', { version: '7', ttlMs: 30_000 })
      const before = await at.read('k')
      const entry = await at.entryOf('k', { version: '6', ttlMs: 90_000, graceMs: 5_000, tags: ['x'] })
      expect((await at.one.set([entry], entry.s)).outcomes).toEqual(['older'])
      expect(await at.read('k')).toEqual(before)
      expect(await at.one.lifetime('k')).toBeLessThanOrEqual(30_000)
    })

    it('says nothing against an entry without one, nor one without a version against it', async () => {
      await at.stored('k')
      expect(await outcomeOf('k', '1')).toBe('stored')
      expect(await outcomeOf('k', null)).toBe('stored')
      expect((await at.read('k'))!.version).toBeNull()
      expect(await outcomeOf('k', '0')).toBe('stored')
    })

    it('says nothing when its entry has gone', async () => {
      await at.stored('k', { version: '7' })
      await at.one.delete(['k'])
      expect(await outcomeOf('k', '1')).toBe('stored')
      await at.stored('short', { version: '7', ttlMs: 40 })
      await at.backend.elapse(60)
      expect(await outcomeOf('short', '1')).toBe('stored')
    })

    it('says nothing in another generation', async () => {
      await at.stored('k', { version: '7' })
      await at.one.clear()
      expect(await outcomeOf('k', '1')).toBe('stored')
      expect(await outcomeOf('k', '0')).toBe('older')
    })

    it('of an entry of a later generation counts: its writer is behind', async () => {
      const behind = await at.entryOf('k', { version: '6' })
      await at.one.clear()
      await at.stored('k', { version: '7' })
      expect((await at.other.set([behind], behind.s)).outcomes).toEqual(['older'])
      expect(await at.read('k')).toMatchObject({ version: '7' })
      expect((await at.other.set([{ ...behind, version: '8' }], behind.s)).outcomes).toEqual(['stored'])
    })

    it('is judged for each entry of a list, in its order', async () => {
      await at.stored('a', { version: '5' })
      const list = [
        await at.entryOf('a', { version: '4' }),
        await at.entryOf('b', { version: '4' }),
        await at.entryOf('c'),
        await at.entryOf('b', { version: '6', payload: '"six"' }),
        await at.entryOf('b', { version: '5' }),
        await at.entryOf('a', { version: '6', payload: '"six"' }),
      ]
      const { outcomes } = await at.one.set(list, list[0]!.s)
      expect(outcomes).toEqual(['older', 'stored', 'stored', 'stored', 'older', 'stored'])
      for (const key of ['a', 'b']) expect(await at.read(key)).toMatchObject({ version: '6', payload: '"six"' })
    })

    it('wakes those who wait when it is stored', async () => {
      await at.stored('k', { version: '1' })
      expect(await at.woken('k', () => outcomeOf('k', '2'))).toContain('k')
    })

    it('of what a fill replaces stays, when the fill has none', async () => {
      await at.stored('k', { version: '7' })
      const fill = await at.fillOf(await at.granted('k'), { payload: '"loaded"', tags: ['x', 'a,b'], deltaMs: 3 })
      expect((await at.one.fill([fill], [])).stored).toEqual([true])
      const { tags, payload, deltaMs } = fill.entry
      expect(await at.read('k')).toMatchObject({ version: '7', tags, payload, deltaMs })
      expect(await outcomeOf('k', '6')).toBe('older')
      expect(await outcomeOf('k', '8')).toBe('stored')
    })

    it('of what a fill replaces goes with its generation', async () => {
      await at.stored('k', { version: '7' })
      await at.one.clear()
      const fill = await at.fillOf(await at.granted('k'))
      expect((await at.one.fill([fill], [])).stored).toEqual([true])
      expect((await at.read('k'))!.version).toBeNull()
    })

    it('of a fill itself counts, whatever was there', async () => {
      for (const there of [null, '7', '13']) {
        await at.one.delete(['k'])
        await at.stored('k', { version: there })
        const fill = await at.fillOf(await at.granted('k'), { version: '12', tags: ['x'], payload: '"loaded"' })
        expect((await at.one.fill([fill], [])).stored).toEqual([true])
        expect(await at.read('k')).toMatchObject({ version: '12', tags: ['x'], payload: '"loaded"' })
      }
    })

    it('stays through a touch', async () => {
      await at.stored('k', { version: '7' })
      expect(await at.one.touch('k', (await at.read('k'))!, { ttlMs: 90_000, graceMs: 0 })).toBe(true)
      expect((await at.read('k'))!.version).toBe('7')
      expect(await outcomeOf('k', '6')).toBe('older')
    })
  })

  describe('grace (R15)', () => {
    const life = ({ softAt, hardAt }: StoredEntry): number => hardAt - softAt

    it('comes after the TTL, for a set, a versioned one and a fill', async () => {
      const times = { ttlMs: 30_000, graceMs: 20_000 }
      await at.stored('set', times)
      await at.stored('versioned', { ...times, version: '1' })
      await at.one.fill([await at.fillOf(await at.granted('filled'), times)], [])
      for (const key of ['set', 'versioned', 'filled']) {
        const { entries, sources } = await at.other.read([key], null)
        expect(life(entries[0]!)).toBe(20_000)
        // What the store says of its own time may lag a little behind.
        expect(entries[0]!.softAt - sources[0]!.nowMs).toBeGreaterThan(28_000)
        expect(entries[0]!.softAt - sources[0]!.nowMs).toBeLessThan(33_000)
        const kept = await at.other.lifetime(key)
        expect(kept).toBeGreaterThan(45_000)
        expect(kept).toBeLessThanOrEqual(50_000)
      }
    })

    it('keeps an entry readable after its TTL, until it is over too', async () => {
      await at.stored('k', { ttlMs: 40, graceMs: 60_000 })
      await at.stored('short', { ttlMs: 20, graceMs: 20 })
      await at.backend.elapse(60)
      expect(await at.present('k', 'short')).toEqual(['k'])
    })

    it('is given anew by a touch', async () => {
      await at.stored('k', { ttlMs: 10_000, graceMs: 1_000 })
      expect(await at.one.touch('k', (await at.read('k'))!, { ttlMs: 30_000, graceMs: 20_000 })).toBe(true)
      expect(life((await at.read('k'))!)).toBe(20_000)
      expect(await at.other.lifetime('k')).toBeGreaterThan(45_000)
      expect(await at.one.touch('k', (await at.read('k'))!, { ttlMs: 40, graceMs: 0 })).toBe(true)
      await at.backend.elapse(60)
      expect(await at.read('k')).toBeNull()
    })
  })

  describe('the lifetime of a key', () => {
    it('is what is left of it, and null when it is gone or never was', async () => {
      expect(await at.one.lifetime('k')).toBeNull()
      await at.stored('k', { ttlMs: 30_000 })
      const first = (await at.other.lifetime('k'))!
      expect(first).toBeGreaterThan(28_000)
      await at.backend.elapse(20)
      expect(await at.other.lifetime('k')).toBeLessThan(first)
      await at.one.delete(['k'])
      expect(await at.other.lifetime('k')).toBeNull()
    })

    it('is of the entry, not of a load under way', async () => {
      await at.granted('k')
      expect(await at.other.lifetime('k')).toBeNull()
    })
  })

  describe('a payload of bytes', () => {
    it.each<[what: string, bytes: Buffer]>([
      ['every byte', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
      ['half a character', Buffer.from([0xc3, 0x28, 0xff, 0x00, 0x0a])],
      ['what looks like a header', Buffer.from('v1 j 35184372088832 \n%,- {}')],
      ['nothing', Buffer.alloc(0)],
      ['a lot', Buffer.alloc(300_000, Buffer.from([0x80, 0x0a, 0x20]))],
    ])('comes back as it was: %s', async (_, payload) => {
      await at.stored('set', { codec: 'Z', payload })
      await at.stored('versioned', { codec: 'Z', payload, version: '1', tags: ['x'] })
      const fill = await at.fillOf(await at.granted('filled'), { codec: 'Z', payload })
      expect((await at.one.fill([fill], [])).stored).toEqual([true])
      const keys = ['set', 'versioned', 'filled']
      for (const key of keys) {
        expect(await at.one.touch(key, (await at.read(key))!, { ttlMs: 90_000, graceMs: 0 })).toBe(true)
      }
      const { entries } = await at.other.read(keys, null)
      for (const entry of entries) {
        expect(entry!.codec).toBe('Z')
        expect(payload.equals(entry!.payload as Buffer)).toBe(true)
      }
      expect(entries[1]!.tags).toEqual(['x'])
    })

    it('stays what was stored, whatever its writer and its readers do with their Buffers', async () => {
      const payload = Buffer.from('stored')
      const entry = await at.entryOf('k', { codec: 'Z', payload })
      await at.one.set([entry], entry.s)
      payload.fill(0)
      ;((await at.read('k'))!.payload as Buffer).fill(0)
      expect((await at.read('k'))!.payload.toString()).toBe('stored')
    })
  })
}
