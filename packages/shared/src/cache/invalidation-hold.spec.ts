import { beforeEach, describe, expect, it } from 'vitest'
import { loseClock } from '../../test/support/memory-faults.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { ScriptedStore } from '../../test/support/scripted-store.js'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { FakeClock } from '../testing/fake-clock.js'
import type { NewEntry } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import { HoldSweeper } from './hold-sweeper.js'
import { InvalidationHolds } from './invalidation-hold.js'
import { ReplayingStore } from './replaying-store.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { spaceOf } from './stores/memory-space.js'
import { MemoryCacheStore } from './stores/memory.js'

const TARGETS = { keys: ['a'], tags: ['t'] }

let clock: FakeClock
let errors: CacheUnavailableError[]
beforeEach(() => {
  clock = new FakeClock()
  errors = []
})
const environment = (extra: object = {}) => ({
  clock,
  random: new SeededRandom(1),
  maxTags: 1_000,
  onError: (error: CacheUnavailableError) => errors.push(error),
  ...extra,
})

describe('InvalidationHolds: the order of its steps (R13)', () => {
  let store: ScriptedStore
  let holds: InvalidationHolds
  const work = async (): Promise<string> => {
    store.calls.push('work')
    return 'result'
  }
  beforeEach(() => {
    store = new ScriptedStore()
    holds = new InvalidationHolds(store, environment())
  })

  it('places, works, ends, with one owner of its own, and leaves no timer', async () => {
    expect(await holds.around(TARGETS, work)).toBe('result')
    expect(store.taken()).toEqual(['placeHold token-1 30000', 'work', 'endHold token-1'])
    await holds.around(TARGETS, work, { hold: '2s' })
    expect(store.taken()).toEqual(['placeHold token-2 2000', 'work', 'endHold token-2'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not begin the work when the store is away or refuses, and owes nothing for it', async () => {
    store.failing.add('placeHold')
    await expect(holds.around(TARGETS, work)).rejects.toThrow(CacheUnavailableError)
    store.failing.clear()
    store.placed = false
    await expect(holds.around(TARGETS, work)).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE', pending: false })
    expect(store.taken()).toEqual([
      'placeHold token-1 30000',
      'placeHold token-2 30000',
      expect.stringMatching(/^read /),
    ])
    expect(errors).toHaveLength(2)
    expect(clock.pendingTimers).toBe(0)
  })

  it('invalidates also when the work throws, at once or later, and its error wins', async () => {
    const thrown = new Error('no stock')
    const never = (): never => {
      throw thrown
    }
    await expect(holds.around(TARGETS, never)).rejects.toBe(thrown)
    await expect(holds.around(TARGETS, () => Promise.reject(thrown))).rejects.toBe(thrown)
    store.failing.add('endHold')
    await expect(holds.around(TARGETS, never)).rejects.toBe(thrown)
    expect(store.taken().filter((call) => call.startsWith('endHold'))).toHaveLength(3)
    expect(errors).toHaveLength(1)
  })

  it('answers the result though the last step failed; the step is owed, and goes before the next read (R24)', async () => {
    const replaying = new ReplayingStore(store, { ...environment(), logger: { warn: () => undefined } })
    holds = new InvalidationHolds(replaying, environment())
    store.failing.add('endHold')
    expect(await holds.around(TARGETS, work)).toBe('result')
    expect(errors.map(({ pending }) => pending)).toEqual([true])
    expect(replaying.pending).toBe(2)
    store.taken()
    store.failing.clear()
    await replaying.read(['x'], null)
    expect(store.taken()).toEqual(['endHold token-1', 'read x'])
  })

  it('waits for the replica before it invalidates, renewing the hold meanwhile', async () => {
    const outcome = holds.around(TARGETS, work, { hold: '3s', replicaLag: '1500ms' })
    await clock.advance(1_499)
    expect(store.taken()).toEqual(['placeHold token-1 3000', 'work', 'renewHold token-1 3000'])
    await clock.advance(1)
    expect(store.taken()).toEqual(['endHold token-1'])
    expect(await outcome).toBe('result')
    expect(clock.pendingTimers).toBe(0)
  })

  it('waits for the replica also after work that threw: it may have committed', async () => {
    const outcome = holds
      .around(TARGETS, () => Promise.reject(new Error('late')), { replicaLag: 100 })
      .catch(() => 'thrown')
    await clock.advance(99)
    expect(store.taken()).toEqual(['placeHold token-1 30000'])
    await clock.advance(1)
    expect(store.taken()).toEqual(['endHold token-1'])
    expect(await outcome).toBe('thrown')
  })

  it('renews at each third of the hold, until the end was answered', async () => {
    let open = (): void => undefined
    const outcome = holds.around(TARGETS, () => new Promise<void>((resolve) => (open = resolve)), { hold: 3_000 })
    await clock.advance(5_500)
    expect(store.taken()).toEqual(['placeHold token-1 3000', ...Array(5).fill('renewHold token-1 3000')])
    let answer = (): void => undefined
    store.gate = new Promise((resolve) => (answer = resolve))
    open()
    await clock.advance(1_000)
    expect(store.taken()).toEqual(['endHold token-1', 'renewHold token-1 3000'])
    answer()
    await outcome
    await clock.advance(5_000)
    expect(store.taken()).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('places a hold that lost a member anew in full; the work goes on undisturbed', async () => {
    store.renewed = false
    let signal!: AbortSignal
    const outcome = holds.around(
      TARGETS,
      (given) =>
        new Promise<void>((resolve) => {
          signal = given
          clock.timer(1_500, resolve)
        }),
      { hold: 3_000 },
    )
    await clock.advance(1_500)
    await outcome
    expect(store.taken()).toEqual([
      'placeHold token-1 3000',
      'renewHold token-1 3000',
      'placeHold token-1 3000',
      'endHold token-1',
    ])
    expect(signal.aborted).toBe(false)
  })

  it('never places anew once the end was sent: nobody would remove that', async () => {
    let answer = (): void => undefined
    const outcome = holds.around(
      TARGETS,
      () => {
        store.gate = new Promise((resolve) => (answer = resolve))
      },
      { hold: 3_000 },
    )
    await clock.settle()
    store.renewed = false
    await clock.advance(1_000)
    answer()
    await outcome
    expect(store.taken()).toEqual(['placeHold token-1 3000', 'endHold token-1', 'renewHold token-1 3000'])
  })

  it('sends the end after a renewal that is under way, which may be placing anew', async () => {
    let end = (): void => undefined
    const outcome = holds.around(TARGETS, () => new Promise<void>((resolve) => (end = resolve)), { hold: 3_000 })
    await clock.settle()
    store.renewed = false
    let answer = (): void => undefined
    store.gate = new Promise((resolve) => (answer = resolve))
    await clock.advance(1_000)
    end()
    await clock.settle()
    expect(store.taken()).toEqual(['placeHold token-1 3000', 'renewHold token-1 3000'])
    store.gate = null
    answer()
    await outcome
    expect(store.taken()).toEqual(['endHold token-1'])
  })

  it('fires the signal with a coded reason at the first renewal that fails, and goes on renewing', async () => {
    let signal!: AbortSignal
    let end = (): void => undefined
    const outcome = holds.around(
      TARGETS,
      (given) =>
        new Promise<void>((resolve) => {
          signal = given
          end = resolve
        }),
      { hold: 3_000 },
    )
    await clock.advance(1_500)
    expect(signal.aborted).toBe(false)
    store.failingOnce.add('renewHold')
    await clock.advance(500)
    expect(signal.reason).toBeInstanceOf(CacheUnavailableError)
    expect((signal.reason as Error).cause).toBe(errors[0])
    await clock.advance(1_000)
    end()
    await outcome
    expect(store.taken().filter((call) => call.startsWith('renew'))).toHaveLength(3)
    expect(errors).toHaveLength(1)
  })

  it('does not fire it for a renewal that fails while the end is under way: the work is over', async () => {
    let signal!: AbortSignal
    let answer = (): void => undefined
    const outcome = holds.around(
      TARGETS,
      (given) => {
        signal = given
        store.gate = new Promise((resolve) => (answer = resolve))
      },
      { hold: 3_000 },
    )
    await clock.settle()
    store.failing.add('renewHold')
    await clock.advance(1_000)
    answer()
    await outcome
    await clock.settle()
    expect(errors).toHaveLength(1)
    expect(signal.aborted).toBe(false)
  })

  it('fires it too when the hold was lost and can not be placed anew', async () => {
    store.renewed = false
    let signal!: AbortSignal
    const outcome = holds.around(
      TARGETS,
      (given) =>
        new Promise<void>((resolve) => {
          signal = given
          store.placed = false
          clock.timer(1_100, resolve)
        }),
      { hold: 3_000 },
    )
    await clock.advance(1_100)
    await outcome
    expect(signal.aborted).toBe(true)
  })

  it('tells L1 before and after each step that invalidates', async () => {
    const replaying = new ReplayingStore(store, { ...environment(), logger: { warn: () => undefined } })
    const ignored = (): void => undefined
    // It is told of the keys and of the clock in one step: once is enough to see when.
    const wrote = (): void => void store.calls.push('l1')
    replaying.near = { wrote, wroteWhere: ignored, wroteClock: ignored, wroteAll: ignored }
    holds = new InvalidationHolds(replaying, environment())
    await holds.around(TARGETS, work)
    expect(store.taken()).toEqual(['l1', 'placeHold token-1 30000', 'l1', 'work', 'l1', 'endHold token-1', 'l1'])
  })

  it('refuses a hold too short for the lag, unusable durations, and more than can be held', async () => {
    await expect(holds.around(TARGETS, work, { hold: '3s', replicaLag: '1501ms' })).rejects.toThrow(ConfigurationError)
    await expect(holds.around(TARGETS, work, { hold: 0 })).rejects.toThrow(InvalidDurationError)
    await expect(holds.around(TARGETS, work, { replicaLag: -1 })).rejects.toThrow(InvalidDurationError)
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    await expect(holds.around({ keys, tags: ['t'] }, work)).rejects.toThrow(ConfigurationError)
    expect(store.taken()).toEqual([])
    await holds.around({ keys: [...keys, 'k1'] }, work)
    expect(store.taken()).toHaveLength(3)
  })

  it('only works when there is nothing to hold', async () => {
    expect(await holds.around({ keys: [] }, work)).toBe('result')
    expect(store.taken()).toEqual(['work'])
  })
})

describe('InvalidationHolds on the memory store', () => {
  let hub: MemoryHub
  let store: MemoryCacheStore
  let holds: InvalidationHolds
  beforeEach(() => {
    hub = new MemoryHub({ clock, random: new SeededRandom(2) })
    store = new MemoryCacheStore(hub)
    holds = new InvalidationHolds(store, environment())
  })

  async function put(key: string): Promise<void> {
    const { g, s } = await store.createClock()
    const entry: NewEntry = {
      key,
      g: g!,
      s,
      ttlMs: 60_000,
      graceMs: 0,
      deltaMs: 0,
      codec: 'j',
      tags: ['t'],
      version: null,
      payload: '1',
    }
    expect((await store.set([entry], s)).outcomes).toEqual(['stored'])
  }
  const markOf = async (tag: string): Promise<number> => (await store.tags([tag])).seqs[0]!
  const reading = () => store.read(['a'], null)
  const members = async (): Promise<string[]> =>
    (await reading()).clock.holds.map(({ kind, name }) => `${kind} ${name}`).sort()

  it('stands while the work runs, far beyond its length, and nothing of it is left afterwards', async () => {
    await put('a')
    let within = 0
    const outcome = holds.around(TARGETS, async () => {
      expect(await members()).toEqual(['key a', 'tag t'])
      expect((await reading()).entries).toEqual([null])
      await new Promise<void>((resolve) => clock.timer(100_000, resolve))
      const {
        clock: { holds: standing },
        sources,
      } = await reading()
      expect(standing.every(({ endMs }) => endMs > sources[0]!.nowMs)).toBe(true)
      await put('a')
      within = await markOf('t')
    })
    await clock.advance(100_000)
    await outcome
    expect(await members()).toEqual([])
    expect((await reading()).entries).toEqual([null])
    expect(await markOf('t')).toBeGreaterThan(within)
  })

  it('comes back when the clock was lost under it', async () => {
    const outcome = holds.around(TARGETS, () => new Promise<void>((resolve) => clock.timer(15_000, resolve)))
    await clock.advance(1_000)
    loseClock(spaceOf(hub, 'vextrus:'))
    expect(await members()).toEqual([])
    await clock.advance(9_500)
    expect(await members()).toEqual(['key a', 'tag t'])
    await clock.advance(5_000)
    await outcome
    expect(await members()).toEqual([])
  })

  it('of a process that died expires, and is finished by whoever sees it: misses until then, never a stale hit', async () => {
    // The process dies: its clock stands still, so it neither renews nor ends.
    const stopped = new FakeClock()
    const dead = new InvalidationHolds(store, environment({ clock: stopped }))
    void dead.around(TARGETS, () => new Promise(() => undefined), { hold: 3_000 })
    await clock.settle()
    await put('a')
    const sweeper = new HoldSweeper(store, environment())
    const look = async (): Promise<void> => {
      const { clock: reply, sources } = await reading()
      sweeper.saw(reply.holds, sources[0]!.nowMs)
      await sweeper.close()
    }
    await clock.advance(2_999)
    await look()
    expect(await members()).toEqual(['key a', 'tag t'])
    const before = await markOf('t')
    await clock.advance(1)
    await look()
    expect(await members()).toEqual([])
    expect((await reading()).entries).toEqual([null])
    expect(await markOf('t')).toBeGreaterThan(before)
  })

  it('renews a hold that others saw expire and finished, by placing it anew', async () => {
    // Stopped and woken: its timer fires late.
    const own = new FakeClock()
    holds = new InvalidationHolds(store, environment({ clock: own }))
    let end = (): void => undefined
    const outcome = holds.around(TARGETS, () => new Promise<void>((resolve) => (end = resolve)), { hold: 3_000 })
    await clock.advance(3_500)
    const { clock: reply } = await reading()
    await store.finishHolds(reply.holds, 1_000)
    await put('a')
    await own.advance(1_000)
    expect(await members()).toEqual(['key a', 'tag t'])
    expect((await reading()).entries).toEqual([null])
    end()
    await outcome
    expect(await members()).toEqual([])
  })
})
