import { beforeEach, describe, expect, it } from 'vitest'
import type { CacheStore, ClockReply, NewEntry, SetOutcome, SetReply } from './cache-store.js'
import { EntryWriter, type Write } from './entry-writer.js'
import { CacheUnavailableError } from './errors.js'
import { TagClock } from './tag-clock.js'

const G = '40000000000000'

let clock: TagClock
let store: ScriptedStore
let writer: EntryWriter

/** Answers each `set` with the next of its replies, and its clock with the last one's reading. */
class ScriptedStore {
  readonly sets: { entries: readonly NewEntry[]; since: number }[] = []
  readonly replies: (Partial<ClockReply> & { outcomes?: SetOutcome[] })[] = []
  readonly deleted: string[] = []
  clocks = 0
  now: { g: string; s: number; f: number; seqs: [] } | null = { g: G, s: 20, f: 0, seqs: [] }
  away = false

  async set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    this.sets.push({ entries, since })
    const { outcomes, ...reply } = this.replies.shift() ?? {}
    const clock = { g: G, s: since, f: null, tags: [], seqs: [], holds: [], full: false, base: false, ...reply }
    return { outcomes: outcomes ?? entries.map(() => 'stored'), clock }
  }

  async createClock(): Promise<NonNullable<ScriptedStore['now']>> {
    this.clocks++
    if (this.now === null) throw new CacheUnavailableError('no clock')
    return this.now
  }

  async delete(keys: readonly string[]): Promise<boolean[]> {
    this.deleted.push(...keys)
    if (this.away) throw new CacheUnavailableError('away')
    return keys.map(() => true)
  }
}

beforeEach(() => {
  clock = new TagClock(100)
  clock.apply({ g: G, s: 10, f: 0, tags: [], seqs: [], holds: [], full: false, base: true }, null, clock.sending())
  store = new ScriptedStore()
  writer = new EntryWriter(store as unknown as CacheStore, clock)
})

function write(key: string, ...tags: string[]): Write {
  return { key, ttlMs: 1_000, graceMs: 0, tags, deltaMs: 0, codec: 'j', version: null, payload: '1' }
}

const sent = (): string[][] => store.sets.map(({ entries }) => entries.map(({ key, s }) => `${key}@${s}`))

describe('a write (R14)', () => {
  it('is sent with the clock as this process knows it, and with all of its tick', async () => {
    await Promise.all([writer.write(write('a')), writer.write(write('b', 'x'))])
    expect(store.sets).toMatchObject([{ since: 10, entries: [{ key: 'a', g: G, s: 10 }, { key: 'b' }] }])
    expect(store.clocks).toBe(0)
  })

  it('is not sent again over a later one of its tick', async () => {
    store.replies.push({ s: 14, tags: ['x'], seqs: [13] })
    await Promise.all([writer.write(write('a', 'x')), writer.write(write('a'))])
    expect(sent()).toEqual([['a@10', 'a@10']])
  })

  it('is sent again although one of a lower version came later, which replaces nothing', async () => {
    const version = (text: string | null): Promise<void> => writer.write({ ...write('a', 'x'), version: text })
    store.replies.push({ s: 14, tags: ['x'], seqs: [13], outcomes: ['stored', 'older'] })
    await Promise.all([version('10'), version('9')])
    expect(sent()).toEqual([['a@10', 'a@10'], ['a@14']])
    for (const [i, later] of ['11', '10', null].entries()) {
      store.sets.length = 0
      store.replies.push({ s: 18 + 4 * i, tags: ['x'], seqs: [17 + 4 * i] })
      await Promise.all([version('10'), version(later)])
      expect(store.sets[1]!.entries).toMatchObject([{ version: later }])
    }
  })

  it.each([false, true])(
    'that could not even be sent takes away what it should have replaced; away: %s',
    async (away) => {
      clock.void()
      store.now = null
      store.away = away
      const writes = await Promise.allSettled([writer.write(write('a')), writer.write(write('b'))])
      expect(writes).toMatchObject([{ reason: { message: 'no clock' } }, { reason: { message: 'no clock' } }])
      expect(store.deleted).toEqual(['a', 'b'])
      expect(store.sets).toEqual([])
    },
  )

  it('asks for the clock when this process knows none', async () => {
    clock.void()
    await writer.write(write('a'))
    expect(sent()).toEqual([['a@20']])
    expect(store.clocks).toBe(1)
    await writer.write(write('b'))
    expect(store.clocks).toBe(1)
  })

  it('is sent once more, with what the answer said, when a tag of it has moved: it alone', async () => {
    store.replies.push({ s: 14, tags: ['x', 'z'], seqs: [13, 11] })
    await Promise.all([writer.write(write('a', 'x', 'y')), writer.write(write('b', 'y')), writer.write(write('c'))])
    expect(sent()).toEqual([['a@10', 'b@10', 'c@10'], ['a@14']])
    expect(store.sets[1]!.since).toBe(14)
  })

  it('is never sent a third time', async () => {
    store.replies.push({ s: 14, tags: ['x'], seqs: [13] }, { s: 18, tags: ['x'], seqs: [17] }, { s: 22 })
    await writer.write(write('a', 'x'))
    expect(sent()).toEqual([['a@10'], ['a@14']])
  })

  it.each([
    ['the generation has moved', { g: '50000000000000', s: 12 }, ['a@12', 'b@12']],
    ['the clock went back', { s: null }, ['a@20', 'b@20']],
    ['the clock is lost', { g: null, s: null }, ['a@20', 'b@20']],
    ['the delta was cut', { s: 14, full: true }, ['b@14']],
    ['the floor rose past it', { s: 14, f: 11 }, ['b@14']],
  ])('is sent once more when %s, an untagged one only where that concerns it', async (_, reply, again) => {
    store.replies.push(reply)
    await Promise.all([writer.write(write('a')), writer.write(write('b', 'x'))])
    expect(sent()).toEqual([['a@10', 'b@10'], again])
  })

  it('that came too late rejects with what mends it, and its neighbours do not', async () => {
    store.replies.push({ outcomes: ['late', 'stored'] })
    const [late, timely] = await Promise.allSettled([writer.write(write('a')), writer.write(write('b'))])
    expect(timely.status).toBe('fulfilled')
    const { reason } = late as PromiseRejectedResult
    expect(reason).toBeInstanceOf(CacheUnavailableError)
    expect(reason).toMatchObject({ key: 'a', message: expect.stringContaining('`commandTimeout`') })
  })

  it('rejects when the store does, with all of its tick', async () => {
    const error = new CacheUnavailableError('away')
    store.set = () => Promise.reject(error)
    const outcomes = await Promise.allSettled([writer.write(write('a')), writer.write(write('b'))])
    expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason)).toEqual([error, error])
  })
})
