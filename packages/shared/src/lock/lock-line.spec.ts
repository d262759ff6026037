import { beforeEach, describe, expect, it } from 'vitest'
import { LockWorld, type WorldProcess } from '../../test/support/lock-world.js'
import { LockTimeoutError, LockUnavailableError } from './index.js'

/** Callers of one process in the line of a lock: who leaves it when, and what is under way then. */

let world: LockWorld
let one: WorldProcess
let other: WorldProcess
const KEY = 'stock:t1'
const LONG_MS = 60_000

beforeEach(() => {
  world = new LockWorld()
  one = world.process()
  other = world.process()
})

const advance = (ms: number): Promise<void> => world.clock.advance(ms)
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it did not fail',
    (error: unknown) => error,
  )
/** What a promise settles with before time passes. */
const atOnce = async <T>(promise: Promise<T>): Promise<T | 'not settled'> => {
  const later = world.clock.settle().then(() => 'not settled' as const)
  return Promise.race([promise, later])
}

describe('who asks once', () => {
  it('is answered at once behind one that waits', async () => {
    await one.mutex.acquire(KEY, LONG_MS)
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 300))
    await advance(50)
    const { length } = other.store.calls
    expect(await atOnce(other.mutex.tryAcquire(KEY))).toBeNull()
    expect(other.store.calls).toHaveLength(length)
    await advance(300)
    expect(await waiting).toBeInstanceOf(LockTimeoutError)
  })

  it('is answered as soon as the one in front has its answer', async () => {
    await one.mutex.acquire(KEY, LONG_MS)
    other.store.next.acquire = [{ replyMs: 20 }]
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 300))
    const once = other.mutex.tryAcquire(KEY)
    await advance(20)
    expect(await atOnce(once)).toBeNull()
    await advance(300)
    expect(await waiting).toBeInstanceOf(LockTimeoutError)
  })

  it('asks once, also when it is woken meanwhile', async () => {
    const held = await one.mutex.acquire(KEY, LONG_MS)
    other.store.next.acquire = ['nothing', { replyMs: 50 }]
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 300))
    await advance(300)
    expect(await waiting).toBeInstanceOf(LockTimeoutError)
    other.store.taken()
    other.store.next.acquire = [{ replyMs: 50 }]
    const once = other.mutex.tryAcquire(KEY)
    await advance(10)
    other.store.gap()
    await advance(50)
    expect(await once).toBeNull()
    expect(other.store.taken()).toEqual(['acquire'])
    await held.release()
  })
})

describe('callers of one process', () => {
  it('that hold together come in one after the other at once, also when no wake-up is heard', async () => {
    const writer = await other.readWrite.write(KEY, { ttlMs: LONG_MS })
    const [first, ...rest] = [1, 2, 3].map(() => one.readWrite.read(KEY, { ttlMs: LONG_MS, wait: '60s' }))
    await advance(700)
    one.store.deaf = true
    await writer.release()
    const readers = [await world.settled(first!)]
    const since = world.clock.mono()
    readers.push(...(await world.settled(Promise.all(rest))))
    expect(world.clock.mono() - since).toBeLessThanOrEqual(10)
    for (const reader of readers) await reader.release()
  })

  it('that give back in one moment all hear what became of it', async () => {
    const options = { permits: 2, ttlMs: LONG_MS, waitMs: LONG_MS }
    const held = [await one.semaphore.acquire(KEY, options), await one.semaphore.acquire(KEY, options)]
    const waiting = one.semaphore.acquire(KEY, options)
    await advance(10)
    const releasing = Promise.all(held.map((permit) => permit.release()))
    expect(await atOnce(releasing)).toEqual(['released', 'released'])
    expect(await (await world.settled(waiting)).release()).toBe('released')
  })

  it('leave no place behind when the one whose turn comes next goes before it has asked itself', async () => {
    const held = await other.mutex.acquire(KEY, LONG_MS)
    const next = new AbortController()
    const first = one.mutex.acquire(KEY, LONG_MS, LONG_MS)
    const second = failureOf(one.mutex.acquire(KEY, LONG_MS, LONG_MS, { signal: next.signal }))
    await advance(10)
    await held.release()
    const lock = await world.settled(first)
    expect(one.store.requests.at(-1)).toMatchObject({ next: 'exclusive', holder: { token: lock.token } })
    next.abort(new Error('over'))
    expect(await second).toMatchObject({ message: 'over' })
    await lock.release()
    await world.clock.settle()
    expect(await atOnce(other.mutex.tryAcquire(KEY))).not.toBeNull()
  })
})

describe('a copy of a call that lands late', () => {
  it('takes nothing after its lock was handed on', async () => {
    one.store.next.acquire = ['late', 'nothing']
    const lock = await world.settled(one.mutex.acquire(KEY, LONG_MS, 5_000))
    const next = one.mutex.acquire(KEY, LONG_MS, 5_000)
    await advance(10)
    await lock.release()
    await (await world.settled(next)).release()
    await one.store.landLate()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('takes nothing after its caller went while a second copy was under way', async () => {
    const held = await one.mutex.acquire(KEY, LONG_MS)
    other.store.next.acquire = ['late', { replyMs: 300 }]
    const waiting = failureOf(other.mutex.acquire(KEY, LONG_MS, 150))
    await advance(400)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    await held.release()
    await other.store.landLate()
    expect(await one.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('takes nothing after its caller went while the answer of a grant was under way', async () => {
    one.store.next.acquire = ['late', { replyMs: 300 }]
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, 150))
    await advance(400)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    await one.store.landLate()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('wake-ups', () => {
  it('are listened for again and again, with pauses, and who waits asks now and then until then', async () => {
    other.store.next.listen = Array.from({ length: 1_000 }, () => 'lost' as const)
    await one.mutex.acquire(KEY, LONG_MS)
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 20_000))
    await advance(20_000)
    expect(await waiting).toBeInstanceOf(LockTimeoutError)
    const count = (operation: string): number => other.store.calls.filter((call) => call === operation).length
    expect(count('listen')).toBeGreaterThan(3)
    expect(count('listen')).toBeLessThan(60)
    expect(count('acquire')).toBeGreaterThan(150)
    expect(count('acquire')).toBeLessThan(260)
  })

  it('are listened for by who waits later, when nobody waited any more as they could not be heard', async () => {
    other.store.next.listen = ['lost']
    const held = await one.mutex.acquire(KEY, LONG_MS)
    const first = failureOf(other.mutex.acquire(KEY, 1_000, 5))
    await advance(1_000)
    expect(await first).toBeInstanceOf(LockTimeoutError)
    const waiting = other.mutex.acquire(KEY, 1_000, LONG_MS)
    await advance(1_000)
    other.store.taken()
    await advance(1_000)
    expect(other.store.taken().length).toBeLessThanOrEqual(2)
    await held.release()
    expect(await atOnce(waiting)).not.toBe('not settled')
  })

  it('stop when all is closed, also those that were confirmed only afterwards', async () => {
    await one.mutex.acquire(KEY, LONG_MS)
    let stops = 0
    const listen = other.store.listen.bind(other.store)
    other.store.listen = async (...args) => {
      const stop = await listen(...args)
      return () => {
        stops++
        stop()
      }
    }
    other.store.next.listen = [{ replyMs: 500 }]
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, LONG_MS))
    await advance(10)
    const closing = other.engine.close()
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    await atOnce(closing)
    await advance(1_000)
    expect(stops).toBe(1)
  })
})

describe('giving back', () => {
  it('is asked again by a second call when the first had no answer', async () => {
    const lock = await one.mutex.acquire(KEY, LONG_MS)
    one.store.next.release = ['lost', 'lost']
    expect(await lock.release()).toBe('unknown')
    expect(await lock.release()).toBe('released')
    expect(await lock.release()).toBe('not-held')
  })

  it('is seen to before all is closed: the connection stays until the store has answered', async () => {
    const lock = await one.mutex.acquire(KEY, LONG_MS)
    one.store.next.release = [{ replyMs: 200 }]
    const releasing = lock.release()
    const closing = one.engine.close()
    await advance(199)
    expect(await atOnce(closing)).toBe('not settled')
    await advance(1)
    expect(await atOnce(closing)).toBeUndefined()
    expect(await releasing).toBe('released')
  })

  it('after the time was over is ‘not held’, though the store had it a moment longer', async () => {
    const lock = await one.mutex.acquire(KEY, 10_000)
    await advance(9_989)
    expect(lock.signal.aborted).toBe(true)
    expect(await other.mutex.tryAcquire(KEY)).toBeNull()
    expect(await lock.release()).toBe('not-held')
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('a lock that is lost while its work runs', () => {
  it('is an error of withLock, though the work ended well', async () => {
    one.store.next.extend = ['lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost']
    const working = failureOf(
      one.mutex.withLock(KEY, { ttlMs: 1_000 }, async () => {
        await new Promise<void>((resolve) => world.clock.timer(1_200, resolve))
        return 'done'
      }),
    )
    await advance(1_200)
    expect(await working).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' })
  })
})

describe('closing', () => {
  it('rejects those who wait, the first and those behind, and leaves the line', async () => {
    const held = await one.mutex.acquire(KEY, LONG_MS)
    const waiting = [1, 2].map(() => failureOf(other.mutex.acquire(KEY, 1_000, LONG_MS)))
    await advance(10)
    await other.engine.close()
    for (const failure of waiting) expect(await atOnce(failure)).toBeInstanceOf(LockUnavailableError)
    await held.release()
    expect(await atOnce(one.mutex.tryAcquire(KEY))).not.toBeNull()
  })
})
