import { describe, expect, it } from 'vitest'
import { ODD_KEYS, type StoreFixture } from './store-fixture.js'

/** What passes over all keys: deletion by pattern (R12), and the memory that a `clear` gives back (R2). */
export function patternsContract(at: StoreFixture): void {
  /** Stores all, deletes by the glob, and answers what is left. */
  async function leftOf(keys: readonly string[], glob: string): Promise<string[]> {
    await at.one.set(await Promise.all(keys.map((key) => at.entryOf(key))), 2)
    const before = await at.present(...keys)
    expect(before).toEqual(keys)
    const deleted = await at.other.deletePattern(glob)
    const left = await at.present(...keys)
    expect(deleted).toBe(keys.length - left.length)
    return left
  }

  describe('a delete by pattern (R12)', () => {
    it('removes every entry that matches, leaves the others and answers how many there were', async () => {
      const users = Array.from({ length: 300 }, (_, i) => `user:${i}`)
      const orders = Array.from({ length: 50 }, (_, i) => `order:${i}`)
      expect(await leftOf([...users, ...orders], 'user:*')).toEqual(orders)
      expect(await at.one.deletePattern('user:*')).toBe(0)
      expect(await at.one.deletePattern('*')).toBe(50)
    })

    it('drops the leases that match, those without an entry too: what is loading now is not stored', async () => {
      await at.stored('user:1')
      const leases = [await at.granted('user:1'), await at.granted('user:2'), await at.granted('order:1')]
      const fills = await Promise.all(leases.map((lease) => at.fillOf(lease)))
      expect(await at.other.deletePattern('user:*')).toBe(1)
      expect((await at.one.fill(fills, [])).stored).toEqual([false, false, true])
      expect(await at.present('user:1', 'user:2', 'order:1')).toEqual(['order:1'])
    })

    it('wakes those who wait: for an entry that goes, and for a load whose lease goes', async () => {
      await at.stored('user:1')
      await at.granted('user:2')
      const heard = await at.woken('user:2', () => at.one.deletePattern('user:*'))
      // By its name, or with all others: null.
      expect(heard.some((key) => key === 'user:1' || key === null)).toBe(true)
    })

    it('of nothing that is there does nothing', async () => {
      expect(await at.one.deletePattern('user:*')).toBe(0)
      await at.stored('k')
      expect(await at.one.deletePattern('K')).toBe(0)
      expect(await at.present('k')).toEqual(['k'])
    })

    it('touches no key of another prefix, and not the clock', async () => {
      await at.one.bumpTags(['x'], 100)
      const clock = await at.one.tags(['x'])
      for (const prefix of [`vextrus.${at.prefix}`, `${at.prefix.slice(0, -1)}0:`]) {
        const stranger = await at.backend.store(prefix)
        const entry = await at.entryOf('k')
        await stranger.set([entry], entry.s)
        const { leases } = await stranger.acquire([{ key: 'l', token: 't', ttlMs: 10_000 }], null)
        expect(await at.one.deletePattern('*')).toBe(0)
        expect((await stranger.read(['k'], null)).entries[0]).not.toBeNull()
        expect(await stranger.renew([{ key: 'l', value: leases[0]!.value }], 10_000)).toEqual([true])
        await stranger.delete(['k', 'l'])
      }
      expect(await at.other.tags(['x'])).toEqual(clock)
    })

    const keys = ['a', 'b', 'ab', 'abc', 'a*c', 'a-c', 'a]c', 'a\\c', 'A', 'a{b}c', 'aüc', '[a]', 'a\nb', ...ODD_KEYS]
    it.each<[glob: string, matching: string[]]>([
      ['*', keys],
      ['**', keys],
      ['a', ['a']],
      ['?', ['a', 'b', 'A', '{', '}']],
      ['a?c', ['abc', 'a*c', 'a-c', 'a]c', 'a\\c']],
      ['a??c', ['aüc']],
      ['a\\*c', ['a*c']],
      ['a[*]c', ['a*c']],
      ['a[a-c]c', ['abc']],
      ['a[c-a]c', ['abc']],
      ['a[^a-c]c', ['a*c', 'a-c', 'a]c', 'a\\c']],
      ['a[\\]]c', ['a]c']],
      ['a[\\-]c', ['a-c']],
      ['[ab', ['a', 'b']],
      ['[]a', []],
      ['\\[a]', ['[a]']],
      ['*\\[a]', ['[a]', '*?[a]']],
      ['a\\\\c', ['a\\c']],
      ['*{b}*', ['a{b}c', '{a}:{b}']],
      ['{*}', ['{}', '{a}:{b}']],
      ['*}*{*', ['x{}y{z}', '}{', '{a}:{b}']],
      ['*🙂*', ['ü🙂:{ä}']],
      ['a?b', ['a}b', 'a b', 'a\nb']],
      ['@lease:*', ['@lease:{x}:y']],
    ])('takes globs as Redis does, and a key whatever it is made of: %s', async (glob, matching) => {
      const leases = await Promise.all(keys.map((key) => at.granted(key)))
      const free = keys.filter((key) => !matching.includes(key))
      expect(await at.one.deletePattern(glob)).toBe(0)
      expect(await at.held(leases)).toEqual(free)
      expect(await leftOf(keys, glob)).toEqual(free)
    })
  })

  describe('the memory of a generation that is over (R2)', () => {
    it('is given back entry by entry, and what belongs to the generation of now or a later one stays', async () => {
      for (const key of ['a', 'b', 'c', ...ODD_KEYS]) await at.stored(key)
      const first = await at.one.clear()
      await at.stored('b')
      expect(await at.other.reclaim(first)).toBe(2 + ODD_KEYS.length)
      expect(await at.present('a', 'b', 'c', ...ODD_KEYS)).toEqual(['b'])
      await at.one.clear()
      await at.stored('later')
      // By its own time this one is late: the entries of a later generation are none of its business.
      expect(await at.other.reclaim(first)).toBe(0)
      expect(await at.present('b', 'later')).toEqual(['b', 'later'])
    })

    it('leaves leases alone: a load of now may be under way', async () => {
      await at.stored('k')
      const generation = await at.one.clear()
      const lease = await at.granted('k')
      expect(await at.other.reclaim(generation)).toBe(1)
      expect(await at.held([lease])).toEqual(['k'])
    })

    it('is all of it, however much', async () => {
      const keys = Array.from({ length: 1_500 }, (_, i) => `k${i}`)
      await at.one.set(await Promise.all(keys.map((key) => at.entryOf(key))), 2)
      expect(await at.other.reclaim(await at.one.clear())).toBe(keys.length)
      expect(await at.present(...keys)).toEqual([])
    })
  })
}
