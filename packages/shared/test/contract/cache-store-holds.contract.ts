import { describe, expect, it } from 'vitest'
import type { Hold, StandingHold } from '../../src/cache/cache-store.js'
import { MAX_TAGS, marksOf, membersOf, ODD_KEYS, type StoreFixture } from './store-fixture.js'

/** Holds (R13): what `invalidateAround` leaves in the store while its work is under way. */
export function holdsContract(at: StoreFixture): void {
  const hold = (owner: string, keys: string[], tags: string[] = []): Hold => ({ owner, keys, tags })

  /** A hold whose time is over, as its members show it. */
  async function expired(each: Hold): Promise<readonly StandingHold[]> {
    await at.placed(each, 40)
    await at.backend.elapse(60)
    return (await at.holds()).filter(({ owner }) => owner === each.owner)
  }

  describe('placing a hold (R13)', () => {
    it('creates the clock when there is none', async () => {
      await at.placed(hold('me', ['k']))
      expect((await at.other.tags([])).g).toMatch(/^\d{14}$/)
    })

    it('drops the leases of its keys, so that what is loading now is not stored', async () => {
      const [fill, free] = [await at.fillOf(await at.granted('k')), await at.fillOf(await at.granted('free'))]
      await at.placed(hold('me', ['k', 'none']))
      expect((await at.one.fill([fill, free], [])).stored).toEqual([false, true])
      expect(await at.present('k', 'free')).toEqual(['free'])
    })

    it('drops the entries of its keys and wakes those who wait for them', async () => {
      await at.stored('a')
      await at.stored('b')
      await at.granted('waited for')
      await at.woken('waited for', () => at.placed(hold('me', ['a', 'waited for'])))
      expect(await at.present('a', 'b')).toEqual(['b'])
    })

    it('marks its tags: entries from before are older than the marks, and those from now on are not', async () => {
      const before = await at.entryOf('k', { tags: ['x', 'y'] })
      await at.placed(hold('me', [], ['x', 'y']))
      const { s, seqs } = await at.other.tags(['x', 'y', 'z'])
      expect(seqs).toEqual([seqs[0], seqs[0], null])
      expect(seqs[0]).toBeGreaterThan(before.s)
      expect(s).toBeGreaterThan(seqs[0]!)
      expect(marksOf((await at.other.read([], before.s)).clock)).toEqual({ x: seqs[0], y: seqs[0] })
      expect(marksOf((await at.other.read([], s)).clock)).toEqual({})
    })

    it('shows every member in every reply about the clock, with its end in the time of the store', async () => {
      const { s } = await at.one.createClock()
      const { nowMs } = (await at.one.read(['k'], null)).sources[0]!
      await at.placed(hold('me', ['k', 'l'], ['k', 'x']), 60_000)
      const lease = await at.granted('other')
      const base = (await at.other.read(['k'], null)).clock
      const members = membersOf(base.holds)
      expect(members).toEqual(['me key k', 'me key l', 'me tag k', 'me tag x'])
      for (const { endMs } of base.holds) {
        // What the store says of its own time may lag a little behind.
        expect(endMs).toBeGreaterThanOrEqual(nowMs + 60_000)
        expect(endMs).toBeLessThan(nowMs + 120_000)
      }
      const late = (await at.other.tags([])).s
      const entry = await at.entryOf('set')
      const replies = [
        (await at.other.read([], s)).clock,
        (await at.other.read([], late)).clock,
        (await at.other.acquire([{ key: 'asked', token: 't', ttlMs: 1_000 }], null)).clock,
        (await at.other.acquire([{ key: 'asked', token: 't', ttlMs: 1_000 }], s)).clock,
        (await at.other.set([entry], late)).clock,
        await at.other.fill([await at.fillOf(lease)], ['x']),
      ]
      for (const { holds } of replies) expect(membersOf(holds)).toEqual(members)
    })

    it('does not stand in a reply in place of marks, nor marks in place of it', async () => {
      const { s } = await at.one.createClock()
      await at.placed(hold('me', ['k'], ['x']))
      for (let i = 0; i < 130; i++) await at.one.bumpTags([`t${i}`], 100)
      const { clock } = await at.other.read([], s)
      expect(membersOf(clock.holds)).toEqual(['me key k', 'me tag x'])
      expect(clock).toMatchObject({ g: expect.any(String), s: expect.any(Number), full: false })
      expect(clock.tags.every((tag) => /^t\d+$/.test(tag))).toBe(true)
      expect((await at.other.tags([])).f).toBeGreaterThan(s)
    })

    it('twice is one hold, with the later end', async () => {
      await at.placed(hold('me', ['k'], ['x']), 1_000)
      const [first] = await at.holds()
      await at.placed(hold('me', ['k'], ['x']), 60_000)
      const again = await at.holds()
      expect(membersOf(again)).toEqual(['me key k', 'me tag x'])
      for (const { endMs } of again) expect(endMs).toBeGreaterThan(first!.endMs + 50_000)
    })

    it('of two owners on one key and one tag are two', async () => {
      const [mine, theirs] = [hold('me', ['k'], ['x']), hold('they', ['k'], ['x'])]
      await at.placed(mine)
      await at.placed(theirs)
      expect(membersOf(await at.holds())).toEqual(['me key k', 'me tag x', 'they key k', 'they tag x'])
      await at.one.endHold(mine, MAX_TAGS)
      expect(membersOf(await at.holds())).toEqual(['they key k', 'they tag x'])
    })

    it.each([...ODD_KEYS, 'a:b', 'k:', ':', 'h:k:me:k', '#g', '-', 'x'.repeat(1_024)])(
      'names odd keys and tags as they are: %s',
      async (name) => {
        await at.stored(name)
        await at.placed(hold('me', [name], [name]))
        expect(await at.present(name)).toEqual([])
        const holds = await at.holds()
        expect(membersOf(holds)).toEqual([`me key ${name}`, `me tag ${name}`])
        await at.one.endHold(hold('me', [name], [name]), MAX_TAGS)
        expect(await at.holds()).toEqual([])
      },
    )

    it('is refused where there would be more than 100 members in all, and then nothing of it is placed', async () => {
      const names = (count: number, name: string): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`)
      const [many, more] = [hold('many', names(60, 'k')), hold('more', ['k0'], names(39, 'x'))]
      await at.placed(many)
      await at.placed(more)
      const full = membersOf(await at.holds())
      expect(full).toHaveLength(100)
      for (const late of [hold('late', ['k']), hold('late', names(2, 'l'), ['x'])]) {
        expect(await at.other.placeHold(late, 60_000, MAX_TAGS)).toBe(false)
      }
      expect(membersOf(await at.holds())).toEqual(full)
      // Its own members are there already.
      await at.placed(many)
      await at.one.endHold(hold('more', [], ['x0']), MAX_TAGS)
      await at.placed(hold('late', ['k']))
    })

    it('counts those that have expired until they are finished', async () => {
      const gone = await expired({
        owner: 'gone',
        keys: Array.from({ length: 100 }, (_, i) => `k${i}`),
        tags: [],
      })
      expect(await at.one.placeHold(hold('me', ['k']), 60_000, MAX_TAGS)).toBe(false)
      await at.one.finishHolds(gone, MAX_TAGS)
      await at.placed(hold('me', ['k']))
    })

    it('is lost with the clock, and placed anew', async () => {
      const mine = await at.placed(hold('me', ['k'], ['x']))
      await at.backend.loseClock(at.prefix)
      expect(await at.holds()).toEqual([])
      expect(await at.one.renewHold(mine, 60_000)).toBe(false)
      expect((await at.other.tags([])).g).toBeNull()
      await at.one.createClock()
      expect(await at.holds()).toEqual([])
      expect(await at.one.renewHold(mine, 60_000)).toBe(false)
      await at.placed(mine)
      expect(membersOf(await at.holds())).toEqual(['me key k', 'me tag x'])
    })

    it('outlives a new generation', async () => {
      await at.placed(hold('me', ['k'], ['x']))
      await at.other.clear()
      expect(membersOf(await at.holds())).toEqual(['me key k', 'me tag x'])
    })
  })

  describe('renewing a hold', () => {
    it('gives every member a new end and does nothing else', async () => {
      const mine = await at.placed(hold('me', ['k'], ['x']), 1_000)
      const [before] = await at.holds()
      await at.stored('k')
      const clock = await at.other.tags(['x'])
      expect(await at.one.renewHold(mine, 60_000)).toBe(true)
      const after = await at.holds()
      expect(membersOf(after)).toEqual(['me key k', 'me tag x'])
      for (const { endMs } of after) expect(endMs).toBeGreaterThan(before!.endMs + 50_000)
      expect(await at.other.tags(['x'])).toEqual(clock)
      expect(await at.present('k')).toEqual(['k'])
    })

    it('is refused when a member is gone, and extends none of the others', async () => {
      const mine = await at.placed(hold('me', ['k', 'l'], ['x']), 1_000)
      await at.other.endHold(hold('me', [], ['x']), MAX_TAGS)
      const before = await at.holds()
      expect(membersOf(before)).toEqual(['me key k', 'me key l'])
      expect(await at.one.renewHold(mine, 60_000)).toBe(false)
      expect(byName(await at.holds())).toEqual(byName(before))
    })

    it('is still in time while nobody has finished it', async () => {
      const mine = hold('me', ['k'], ['x'])
      const gone = await expired(mine)
      expect(await at.one.renewHold(mine, 60_000)).toBe(true)
      await at.other.finishHolds(gone, MAX_TAGS)
      expect(membersOf(await at.holds())).toEqual(['me key k', 'me tag x'])
    })
  })

  describe('ending a hold', () => {
    it('drops what was stored under it, marks its tags again and removes its own members', async () => {
      const mine = await at.placed(hold('me', ['k'], ['x', 'y']))
      await at.placed(hold('they', ['l'], ['y']))
      await at.stored('k')
      const under = await at.stored('tagged', { tags: ['x'] })
      const lease = await at.granted('k')
      await at.one.endHold(mine, MAX_TAGS)
      expect(await at.present('k', 'tagged')).toEqual(['tagged'])
      expect(await at.held([lease])).toEqual([])
      const { s, seqs } = await at.other.tags(['x', 'y'])
      expect(seqs[0]).toBeGreaterThan(under.s)
      expect(seqs).toEqual([s - 1, s - 1])
      expect(membersOf(await at.holds())).toEqual(['they key l', 'they tag y'])
    })

    it('wakes those who wait for its keys', async () => {
      const mine = await at.placed(hold('me', ['k']))
      await at.granted('k')
      expect(await at.woken('k', () => at.one.endHold(mine, MAX_TAGS))).toContain('k')
    })

    it('invalidates although its members are gone: somebody finished it, or the clock was lost', async () => {
      const mine = hold('me', ['k'], ['x'])
      const before = await at.stored('k')
      await at.one.endHold(mine, MAX_TAGS)
      expect(await at.present('k')).toEqual([])
      expect((await at.other.tags(['x'])).seqs[0]).toBeGreaterThan(before.s)
      await at.backend.loseClock(at.prefix)
      await at.one.endHold(mine, MAX_TAGS)
      expect(await at.holds()).toEqual([])
    })

    it('keeps within the most marks, and raises the floor for what goes', async () => {
      const tags = Array.from({ length: 30 }, (_, i) => `x${i}`)
      for (let i = 0; i < 100; i++) await at.one.bumpTags([`t${i}`], 100)
      const { s } = await at.other.tags([])
      await at.one.placeHold(hold('me', [], tags), 60_000, 100)
      await at.one.endHold(hold('me', [], tags), 100)
      const after = await at.other.tags(['t0', ...tags])
      expect(after.f).toBeGreaterThan(0)
      expect(after.f).toBeLessThan(s)
      expect(after.seqs).toEqual([null, ...tags.map(() => after.s - 1)])
    })
  })

  describe('a hold that has expired', () => {
    it('stays in every reply until somebody finishes it', async () => {
      const { s } = await at.one.createClock()
      const gone = await expired(hold('gone', ['k'], ['x']))
      expect(membersOf(gone)).toEqual(['gone key k', 'gone tag x'])
      expect(membersOf((await at.other.read(['k'], s)).clock.holds)).toEqual(membersOf(gone))
    })

    it('is finished for its owner: what it protects is invalidated, and its members go', async () => {
      const gone = await expired(hold('gone', ['k'], ['x']))
      await at.stored('k')
      const under = await at.stored('tagged', { tags: ['x'] })
      const lease = await at.granted('k')
      await at.one.finishHolds(gone, MAX_TAGS)
      expect(await at.holds()).toEqual([])
      expect(await at.present('k', 'tagged')).toEqual(['tagged'])
      expect(await at.held([lease])).toEqual([])
      expect((await at.other.tags(['x'])).seqs[0]).toBeGreaterThan(under.s)
    })

    it('wakes those who wait for its keys when it is finished', async () => {
      const gone = await expired(hold('gone', ['k']))
      await at.granted('k')
      expect(await at.woken('k', () => at.one.finishHolds(gone, MAX_TAGS))).toContain('k')
    })

    it('is finished alone: those that still stand keep their members, whoever asks', async () => {
      const standing = hold('standing', ['k', 'l'], ['x'])
      await at.placed(standing)
      await expired(hold('gone', ['k', 'm'], ['x', 'y']))
      const all = await at.holds()
      expect(all).toHaveLength(7)
      await at.other.finishHolds(all, MAX_TAGS)
      expect(membersOf(await at.holds())).toEqual(['standing key k', 'standing key l', 'standing tag x'])
      expect(await at.one.renewHold(standing, 60_000)).toBe(true)
    })

    it('may be finished by several at once, and after it is gone', async () => {
      const gone = await expired(hold('gone', ['k'], ['x']))
      await Promise.all([at.one, at.other, at.one].map((store) => store.finishHolds(gone, MAX_TAGS)))
      await at.one.finishHolds(gone, MAX_TAGS)
      expect(await at.holds()).toEqual([])
    })
  })
}

const byName = (holds: readonly StandingHold[]): StandingHold[] =>
  [...holds].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
