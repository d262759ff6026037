import { beforeEach, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { ScriptedStore } from '../../test/support/scripted-store.js'
import { FakeClock } from '../testing/fake-clock.js'
import type { Fill, NewEntry, StoredEntry } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import { ReplayingStore } from './replaying-store.js'

const entry = (key: string): NewEntry => ({
  key,
  g: 'g1',
  s: 0,
  ttlMs: 1_000,
  graceMs: 0,
  deltaMs: 0,
  codec: 'j',
  tags: [],
  version: null,
  payload: '1',
})
const hold = { owner: 'me', keys: ['a'], tags: ['t'] }
const failure = (promise: Promise<unknown>): Promise<CacheUnavailableError> =>
  promise.then(
    () => expect.fail('it resolved'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(CacheUnavailableError)
      return error as CacheUnavailableError
    },
  )

let clock: FakeClock
let inner: ScriptedStore
let lines: string[]
let cleared: string[]
let store: ReplayingStore

function make(options?: { limit?: number; patienceMs?: number }): ReplayingStore {
  return new ReplayingStore(
    inner,
    {
      clock,
      random: new SeededRandom(1),
      logger: { warn: (line) => lines.push(line) },
      onCleared: (generation) => cleared.push(generation),
    },
    options,
  )
}

beforeEach(() => {
  clock = new FakeClock()
  inner = new ScriptedStore()
  lines = []
  cleared = []
  store = make()
})

/** A delete that failed, and the store is still away. */
async function away(...keys: string[]): Promise<void> {
  inner.failing.add('*')
  await failure(store.delete(keys))
  inner.taken()
}

describe('ReplayingStore', () => {
  it('is transparent while nothing has failed: same promise, no timer, nothing said', async () => {
    const reply = Promise.resolve({} as never)
    inner.read = () => reply
    expect(store.read(['a'], null)).toBe(reply)
    await store.delete(['a'])
    await store.set([entry('a')], 0)
    expect(inner.taken()).toEqual(['delete a', 'set a'])
    expect(clock.pendingTimers).toBe(0)
    expect(lines).toEqual([])
  })

  it('tells a failed invalidation that it is pending, and why it failed (R24)', async () => {
    inner.failing.add('*')
    for (const call of [
      () => store.delete(['a']),
      () => store.deletePattern('a*'),
      () => store.bumpTags(['t'], 100),
      () => store.clear(),
      () => store.endHold(hold, 100),
    ]) {
      const error = await failure(call())
      expect(error.pending).toBe(true)
      expect(error.message).toMatch(/no answer to \w+\. This process repeats it/)
      expect(error.cause).toMatchObject({ message: 'socket' })
    }
  })

  it('repeats it before the first read after recovery, whatever reads (R24)', async () => {
    const reads: [string, () => Promise<unknown>][] = [
      ['read x', () => store.read(['x'], null)],
      ['tags t', () => store.tags(['t'])],
      ['createClock', () => store.createClock()],
      ['acquire x', () => store.acquire([{ key: 'x', token: 'T', ttlMs: 1 }], null)],
      ['fill x', () => store.fill([{ key: 'x' } as Fill], [])],
      ['touch x', () => store.touch('x', {} as StoredEntry, { ttlMs: 1, graceMs: 0 })],
      ['lifetime x', () => store.lifetime('x')],
    ]
    for (const [call, read] of reads) {
      await away('a')
      inner.failing.clear()
      await read()
      expect(inner.taken()).toEqual(['delete a', call])
    }
  })

  it('repeats it by itself, with a backoff of at most a second, for the sake of the other processes', async () => {
    await away('a')
    await clock.advance('10s')
    const attempts = inner.taken()
    expect(attempts.length).toBeGreaterThan(10)
    expect(attempts.length).toBeLessThan(60)
    inner.failing.clear()
    await clock.advance(1_001)
    expect(inner.taken()).toEqual(['delete a'])
    expect(store.pending).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses reads at once between failed attempts, so they become misses without waiting', async () => {
    await away('a')
    await failure(store.read(['x'], null))
    expect(inner.taken()).toEqual(['delete a'])
    const refused = await failure(store.read(['x'], null))
    expect(inner.taken()).toEqual([])
    expect(refused.pending).toBe(false)
    expect(refused.cause).toBeInstanceOf(CacheUnavailableError)
  })

  it('makes one attempt at a time, however many reads wait for it', async () => {
    await away('a')
    let open = (): void => undefined
    inner.gate = new Promise((resolve) => (open = resolve))
    const reads = Array.from({ length: 100 }, (_, i) => store.read([`x${i}`], null))
    await clock.settle()
    expect(inner.taken()).toEqual(['delete a'])
    inner.failing.clear()
    inner.gate = null
    open()
    await Promise.all(reads)
    expect(inner.taken()).toHaveLength(100)
  })

  it('lets no read wait longer than its patience for a long repetition', async () => {
    await away('a')
    inner.gate = new Promise(() => undefined)
    const read = failure(store.read(['x'], null))
    await clock.advance(499)
    expect(await Promise.race([read, Promise.resolve('waiting')])).toBe('waiting')
    await clock.advance(1)
    expect(await read).toBeInstanceOf(CacheUnavailableError)
  })

  it('owes once more what fails again while its repetition is under way: that one may have come before it', async () => {
    await away('a')
    let open = (): void => undefined
    inner.gate = new Promise((resolve) => (open = resolve))
    const read = store.read(['x'], null)
    await clock.settle()
    expect(inner.taken()).toEqual(['delete a'])
    inner.gate = null
    await failure(store.delete(['a']))
    inner.taken()
    inner.failing.clear()
    open()
    await read
    expect(inner.taken()).toEqual(['delete a', 'read x'])
    expect(store.pending).toBe(0)
  })

  it('sends no read in the moment after an attempt when another invalidation has just failed', async () => {
    const good = inner.delete.bind(inner)
    for (let hops = 0; hops < 25; hops++) {
      inner.failingOnce.add('delete')
      await failure(store.delete(['a']))
      let late: Promise<unknown> = Promise.resolve()
      inner.delete = async (keys) => {
        const answer = await good(keys)
        late = (async () => {
          // Some microtasks later: just before, while, or just after the attempt ends.
          for (let i = 0; i < hops; i++) await Promise.resolve()
          inner.failingOnce.add('bumpTags')
          const failing = failure(store.bumpTags(['t'], 100))
          // Not by way of its rejection: the read follows in the very next microtask after it is owed.
          for (let i = 0; i < 50 && store['log'].size === 0; i++) await Promise.resolve()
          await store.read(['x'], null)
          await failing
        })()
        return answer
      }
      await store.read(['y'], null)
      inner.delete = good
      await late
      const calls = inner.taken().filter((call) => call === 'bumpTags t' || call === 'read x')
      expect(calls).toEqual(['bumpTags t', 'bumpTags t', 'read x'])
    }
  })

  it('owes a delete for a write that failed or came late, none for one that was stored or found a newer entry', async () => {
    inner.outcomes = ['stored', 'late', 'older', new CacheUnavailableError('away')]
    const reply = await store.set(['a', 'b', 'c', 'd'].map(entry), 0)
    expect(reply.outcomes).toEqual(inner.outcomes)
    await store.replay()
    expect(inner.taken()).toEqual(['set a b c d', 'delete b d'])

    inner.failing.add('set')
    const error = await failure(store.set(['e', 'f'].map(entry), 0))
    expect(error.pending).toBe(false)
    await store.replay()
    expect(inner.taken()).toEqual(['set e f', 'delete e f'])
  })

  it('lets writes, releases, renewals and further invalidations pass meanwhile', async () => {
    await away('a')
    inner.failing.clear()
    inner.failing.add('delete')
    await store.set([entry('b')], 0)
    await store.release([])
    await store.renew([], 1)
    await store.bumpTags(['t'], 100)
    expect(inner.taken()).toEqual(['set b', 'release', 'renew', 'bumpTags t'])
    expect(store.pending).toBe(1)
  })

  it('repeats many at once: keys in lists, tags in one, equal ones merged', async () => {
    inner.failing.add('*')
    for (let i = 0; i < 600; i++) await failure(store.delete([`k${i}`, 'same']))
    for (let i = 0; i < 600; i++) await failure(store.bumpTags([`t${i}`], 100))
    await failure(store.endHold(hold, 100))
    expect(store.pending).toBe(601 + 600 + 2)
    inner.taken()
    inner.failing.clear()
    await store.replay()
    const sent = inner.taken().map((call) => `${call.split(' ')[0]} ${call.split(' ').length - 1}`)
    expect(sent.sort()).toEqual(['bumpTags 600', 'delete 101', 'delete 500', 'endHold 1'])
  })

  it('gets done what can be done where one kind still fails, and reads nothing before all is', async () => {
    await away('a')
    await failure(store.bumpTags(['t'], 100))
    inner.taken()
    inner.failing.clear()
    inner.failing.add('bumpTags')
    await failure(store.read(['x'], null))
    expect(inner.taken().sort()).toEqual(['bumpTags t', 'delete a'])
    expect(store.pending).toBe(1)
    inner.failing.clear()
    await clock.advance('1s')
    await store.read(['x'], null)
    expect(inner.taken()).toEqual(['bumpTags t', 'read x'])
  })

  it('turns more than it may remember into one clear, and hands on the generation that it began', async () => {
    store = make({ limit: 3 })
    inner.failing.add('*')
    await failure(store.delete(['a', 'b', 'c']))
    await failure(store.delete(['d']))
    expect(store.pending).toBe(1)
    inner.taken()
    inner.failing.clear()
    await store.replay()
    expect(inner.taken()).toEqual(['clear'])
    expect(cleared).toEqual(['g2'])
  })

  it('repeats a clear also when nobody asked for its generation', async () => {
    const random = new SeededRandom(1)
    store = new ReplayingStore(inner, { clock, random, logger: { warn: () => undefined } })
    inner.failingOnce.add('clear')
    await failure(store.clear())
    inner.taken()
    await store.read(['x'], null)
    expect(inner.taken()).toEqual(['clear', 'read x'])
  })

  it('says once that the log fills and once that it was repeated, with the number', async () => {
    await away('a', 'b')
    await failure(store.bumpTags(['t'], 100))
    await clock.advance('5s')
    inner.failing.clear()
    await clock.advance('1s')
    expect(lines).toHaveLength(2)
    expect(lines[1]).toContain('3 invalidations')
  })

  it('starts afresh after a recovery: an attempt at the first read, a short wait, no timer left over', async () => {
    await away('a')
    await failure(store.read(['x'], null))
    await clock.advance('20s')
    inner.failing.clear()
    await store.replay()
    expect(clock.pendingTimers).toBe(0)
    expect(lines).toHaveLength(2)

    await away('b')
    inner.failing.clear()
    await store.read(['x'], null)
    expect(inner.taken()).toEqual(['delete b', 'read x'])
    expect(clock.pendingTimers).toBe(0)

    await away('c')
    inner.failing.clear()
    await clock.advance(50)
    expect(inner.taken()).toEqual(['delete c'])
  })

  it('makes one last attempt when closed', async () => {
    await away('a')
    inner.failing.clear()
    await store.close()
    expect(inner.taken()).toEqual(['delete a'])
    expect(lines.at(-1)).toContain('1 invalidations were repeated')
  })

  it('says how many are lost with the process, within its patience, and leaves no timer', async () => {
    await away('a', 'b')
    inner.gate = new Promise(() => undefined)
    const closing = store.close()
    await clock.advance(500)
    await closing
    expect(lines.at(-1)).toMatch(/^2 invalidations were never acknowledged/)
    await store.close()
    expect(lines).toHaveLength(2)
    expect(clock.pendingTimers).toBe(0)
    inner.gate = null
    expect((await failure(store.delete(['c']))).pending).toBe(false)
  })

  it('does not log a hold that was not placed, nor a renewal or a finish that failed (R13)', async () => {
    inner.failing.add('*')
    for (const call of [
      () => store.placeHold(hold, 1_000, 100),
      () => store.renewHold(hold, 1_000),
      () => store.finishHolds([], 100),
      () => store.reclaim('g1'),
    ])
      expect((await failure(call())).pending).toBe(false)
    expect(store.pending).toBe(0)
  })

  it('keeps what it owes when the store fails in a way that it must not, and passes the defect on', async () => {
    await away('a')
    inner.failing.clear()
    const good = inner.delete.bind(inner)
    inner.delete = () => Promise.reject(new TypeError('defect'))
    await expect(store.read(['x'], null)).rejects.toThrow(TypeError)
    expect(store.pending).toBe(1)
    inner.delete = good
    await store.read(['x'], null)
    expect(inner.taken()).toEqual(['delete a', 'read x'])
  })
})
