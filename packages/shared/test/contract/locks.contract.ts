import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError, InvalidKeyError } from '../../src/kernel/errors.js'
import {
  type Lock,
  LockLostError,
  type LockOptions,
  LockTimeoutError,
  LockUnavailableError,
  RedisLockService,
  RedisReadWriteLock,
  RedisSemaphore,
} from '../../src/lock/index.js'
import type { LockBackend, LockProcess } from '../support/lock-backends.js'

/** What a bound on real time allows a busy machine. */
const SLACK_MS = 2_500
/** A place that was not left would keep others waiting for longer. */
const LEFT_MS = 1_200

interface Locks extends LockProcess {
  readonly mutex: RedisLockService
  readonly semaphore: RedisSemaphore
  readonly readWrite: RedisReadWriteLock
}

/** What the services promise those who use them, each process with an engine and a client of its own. */
export function locksContract(name: string, makeBackend: () => Promise<LockBackend>): void {
  describe(`locks on ${name}`, () => {
    let backend: LockBackend
    let one: Locks
    let other: Locks
    let third: Locks
    let key: string
    let tests = 0

    const prefix = 'vextrus-locks:'
    async function process(options?: LockOptions): Promise<Locks> {
      const made = await backend.process(prefix, options)
      const { engine } = made
      return {
        ...made,
        mutex: new RedisLockService(engine),
        semaphore: new RedisSemaphore(engine),
        readWrite: new RedisReadWriteLock(engine),
      }
    }
    beforeAll(async () => {
      backend = await makeBackend()
      ;[one, other, third] = [await process(), await process(), await process()]
    })
    beforeEach(() => {
      key = `tenant:${++tests}`
      for (const { store } of [one, other, third]) store.taken()
    })
    afterAll(() => backend.close())

    const settled = <T>(promise: Promise<T>): Promise<T> => backend.settled(promise)
    const pause = (ms: number): Promise<void> =>
      settled(new Promise((resolve) => backend.clock.timer(ms, () => resolve())))
    const now = (): number => backend.clock.mono()
    /** Those who wait are in the line of the store. */
    async function inLine(locks: Locks, calls: number): Promise<void> {
      while (locks.store.calls.filter((each) => each === 'acquire').length < calls) await pause(2)
      await pause(5)
    }

    describe('a mutex', () => {
      it('is held by one at a time, over processes and within one, and fences grow as it goes round', async () => {
        let inside = 0
        let most = 0
        const fences: bigint[] = []
        const work = async (lock: Lock): Promise<void> => {
          most = Math.max(most, ++inside)
          fences.push(lock.fence)
          await new Promise((resolve) => setImmediate(resolve))
          lock.assertHeld()
          inside--
        }
        const callers = Array.from({ length: 60 }, (_, i) => [one, other, third][i % 3]!)
        const options = { ttlMs: 20_000, waitMs: 20_000 }
        await settled(Promise.all(callers.map(({ mutex }) => mutex.withLock(key, options, work))))
        expect(most).toBe(1)
        expect(fences).toHaveLength(60)
        expect(fences).toEqual(fences.toSorted((a, b) => Number(a - b)))
        expect(new Set(fences).size).toBe(60)
      })

      it('goes to those who wait in the order in which they came', async () => {
        const held = await one.mutex.acquire(key)
        const order: string[] = []
        const waiter = async (locks: Locks, name: string): Promise<void> => {
          const lock = await locks.mutex.acquire(key, 10_000, 10_000)
          order.push(name)
          await lock.release()
        }
        const waiting = [waiter(other, 'first')]
        await inLine(other, 1)
        waiting.push(waiter(third, 'second'))
        await inLine(third, 1)
        const last = await process()
        waiting.push(waiter(last, 'third'))
        await inLine(last, 1)
        expect(order).toEqual([])
        expect(await held.release()).toBe('released')
        await settled(Promise.all(waiting))
        expect(order).toEqual(['first', 'second', 'third'])
      })

      it('goes on within a process some times, then to the process that waits', async () => {
        const turns = await process({ localTurns: 3 })
        const order: string[] = []
        const held = await turns.mutex.acquire(key)
        const waiter = (locks: Locks, name: string): Promise<void> =>
          locks.mutex.withLock(key, { waitMs: 20_000 }, () => void order.push(name))
        const waiting = [waiter(other, 'other')]
        await inLine(other, 1)
        waiting.push(...[1, 2, 3, 4, 5].map((n) => waiter(turns, `turn ${n}`)))
        await inLine(turns, 2)
        await held.release()
        await settled(Promise.all(waiting))
        expect(order.indexOf('other')).toBeLessThanOrEqual(3)
        expect(order.filter((each) => each !== 'other')).toEqual(['turn 1', 'turn 2', 'turn 3', 'turn 4', 'turn 5'])
      })

      it('is not to be had within the time: the error names key and time, and comes when it is over', async () => {
        const held = await one.mutex.acquire(key)
        const since = now()
        const error = await settled(other.mutex.acquire(key, 1_000, 150).catch((cause: unknown) => cause))
        const tookMs = now() - since
        expect(error).toBeInstanceOf(LockTimeoutError)
        expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', key, waitedMs: 150 })
        expect(tookMs).toBeGreaterThanOrEqual(149)
        expect(tookMs).toBeLessThan(150 + SLACK_MS)
        expect(await held.release()).toBe('released')
        const next = await third.mutex.acquire(key, 10_000, LEFT_MS)
        await next.release()
      })

      it('is asked for once with no time to wait, and by tryAcquire, which answers null', async () => {
        const held = await one.mutex.acquire(key, 5_000, 0)
        await expect(settled(other.mutex.acquire(key, 5_000, 0))).rejects.toMatchObject({ waitedMs: 0 })
        expect(await other.mutex.tryAcquire(key)).toBeNull()
        expect(await one.mutex.tryAcquire(key)).toBeNull()
        expect(other.store.calls).toEqual(['acquire', 'acquire'])
        await held.release()
        const lock = await other.mutex.tryAcquire(key, 5_000)
        expect(lock!.fence).toBeGreaterThan(held.fence)
        await lock!.release()
      })

      it('is not taken by tryAcquire from those who wait', async () => {
        const held = await one.mutex.acquire(key)
        const waiting = other.mutex.acquire(key, 10_000, 10_000)
        await inLine(other, 1)
        other.store.always = 'lost'
        other.store.deaf = true
        await held.release()
        expect(await third.mutex.tryAcquire(key)).toBeNull()
        other.store.always = undefined
        other.store.deaf = false
        other.store.gap()
        await (await settled(waiting)).release()
      })

      it('is waited for no longer when the signal fires; the reason is the signal’s, and the place is free', async () => {
        const held = await one.mutex.acquire(key)
        const controller = new AbortController()
        const reason = new Error('the request is over')
        const waiting = other.mutex.acquire(key, 1_000, 60_000, { signal: controller.signal })
        await inLine(other, 1)
        controller.abort(reason)
        await expect(settled(waiting)).rejects.toBe(reason)
        await expect(other.mutex.acquire(key, 1_000, 0, { signal: controller.signal })).rejects.toBe(reason)
        await held.release()
        await pause(20)
        await (await settled(third.mutex.acquire(key, 10_000, LEFT_MS))).release()
      })

      it('is not given back by a signal that fires later', async () => {
        const controller = new AbortController()
        const lock = await one.mutex.acquire(key, 10_000, 0, { signal: controller.signal })
        controller.abort()
        lock.assertHeld()
        expect(await other.mutex.tryAcquire(key)).toBeNull()
        expect(await lock.release()).toBe('released')
      })
    })

    describe('a lock that is held', () => {
      it('says what it is', async () => {
        const before = backend.clock.wall()
        const lock = await one.mutex.acquire(key, 10_000)
        expect(lock.key).toBe(key)
        expect(lock.token.length).toBeGreaterThanOrEqual(20)
        expect(lock.signal.aborted).toBe(false)
        expect(lock.expiresAt).toBeGreaterThan(before + 9_000)
        expect(lock.expiresAt).toBeLessThanOrEqual(backend.clock.wall() + 10_000)
        lock.assertHeld()
        await lock.release()
      })

      it('is given back once; a second time, and what is no lock of ours, is not held', async () => {
        const lock = await one.mutex.acquire(key)
        expect(await other.mutex.release(lock)).toBe('released')
        expect(await one.mutex.release(lock)).toBe('not-held')
        expect(await lock.release()).toBe('not-held')
        const copy = { ...lock, key, release: () => Promise.reject(new Error('not ours')) } as unknown as Lock
        for (const foreign of [copy, {}, null, undefined, 'lock'] as Lock[]) {
          expect(await one.mutex.release(foreign)).toBe('not-held')
          expect(await one.semaphore.release(foreign)).toBe('not-held')
          expect(await one.readWrite.release(foreign)).toBe('not-held')
        }
        expect(() => lock.assertHeld()).toThrow(LockLostError)
        await expect(lock.extend()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'released' })
        expect(lock.signal.aborted).toBe(false)
      })

      it('is given back at the end of its block', async () => {
        {
          await using lock = await one.mutex.acquire(key)
          lock.assertHeld()
          expect(await other.mutex.tryAcquire(key)).toBeNull()
        }
        await using lock = await other.mutex.acquire(key, 10_000, LEFT_MS)
        lock.assertHeld()
      })

      it('is extended, and lost when it is not: then it can’t be extended, and giving it back is no error', async () => {
        const lock = await one.mutex.acquire(key, 20_000)
        const { expiresAt } = lock
        await lock.extend(40_000)
        expect(lock.expiresAt).toBeGreaterThan(expiresAt + 10_000)
        await lock.release()

        const short = await one.mutex.acquire(key, 60)
        await pause(70)
        expect(short.signal.aborted).toBe(true)
        expect(short.signal.reason).toBeInstanceOf(LockLostError)
        expect(() => short.assertHeld()).toThrow(LockLostError)
        await expect(short.extend()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'expired' })
        expect(await short.release()).toBe('not-held')
        expect(await short.release()).toBe('not-held')
        await using next = await settled(other.mutex.acquire(key))
        expect(next.fence).toBeGreaterThan(short.fence)
      })

      it('is not given back, extended or disturbed by who held it before', async () => {
        const before = await one.mutex.acquire(key, 60)
        const lock = await settled(other.mutex.acquire(key, 10_000, 5_000))
        expect(await before.release()).toBe('not-held')
        await expect(before.extend()).rejects.toThrow(LockLostError)
        await lock.extend()
        expect(await third.mutex.tryAcquire(key)).toBeNull()
        expect(await lock.release()).toBe('released')
      })

      it('tells its holder at its deadline while the store does not answer', async () => {
        const lock = await one.mutex.acquire(key, 200)
        one.store.always = 'hangs'
        const hanging = lock.extend(200)
        hanging.catch(() => undefined)
        const since = now()
        await settled(new Promise((resolve) => lock.signal.addEventListener('abort', resolve)))
        expect(now() - since).toBeLessThan(200 + SLACK_MS)
        expect(() => lock.assertHeld()).toThrow(LockLostError)
        one.store.always = undefined
        expect(await lock.release()).toBe('not-held')
      })
    })

    describe('work under a lock', () => {
      it('holds it for as long as it takes, and answers what the work answers', async () => {
        const ttlMs = 1_200
        const answer = one.mutex.withLock(key, { ttlMs, waitMs: 0 }, async (lock) => {
          const until = now() + 1.1 * ttlMs
          while (now() < until) {
            await new Promise<void>((resolve) => backend.clock.timer(50, resolve))
            lock.assertHeld()
          }
          return (await other.mutex.tryAcquire(key)) === null ? lock.fence : 'somebody came in'
        })
        expect(await settled(answer)).toBeTypeOf('bigint')
        expect(one.store.calls.filter((call) => call === 'extend').length).toBeGreaterThanOrEqual(2)
        await (await other.mutex.acquire(key, 10_000, LEFT_MS)).release()
      })

      it('gives it back when the work throws, and throws what it threw', async () => {
        const failure = new Error('no such invoice')
        await expect(
          settled(
            one.mutex.withLock(key, {}, () => {
              throw failure
            }),
          ),
        ).rejects.toBe(failure)
        await (await other.mutex.acquire(key, 10_000, LEFT_MS)).release()
      })

      it('that loses it is told at once, and the call rejects when the work has settled', async () => {
        let isSettled = false
        let told: unknown
        const result = one.mutex.withLock(key, { ttlMs: 150, waitMs: 5_000 }, async (lock) => {
          one.store.always = 'lost'
          await new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
          told = lock.signal.reason
          expect(() => lock.assertHeld()).toThrow(LockLostError)
          await new Promise<void>((resolve) => backend.clock.timer(50, resolve))
          isSettled = true
          one.store.always = undefined
          return 'too late'
        })
        await expect(settled(result)).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'expired', key })
        expect(isSettled).toBe(true)
        expect(told).toBeInstanceOf(LockLostError)
      })

      it('whose failure comes of a lock that was lost rejects with LockLostError, and the failure as its cause', async () => {
        const failure = new Error('the fence was refused')
        const result = one.mutex.withLock(key, { ttlMs: 100, waitMs: 5_000 }, async (lock) => {
          one.store.always = 'lost'
          await new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
          one.store.always = undefined
          throw failure
        })
        await expect(settled(result)).rejects.toMatchObject({ code: 'LOCK_LOST', cause: failure })
      })

      it('may give it back itself', async () => {
        expect(await one.mutex.withLock(key, {}, async (lock) => lock.release())).toBe('released')
      })
    })

    describe('a semaphore', () => {
      it('is never held by more than its permits allow, and is used in full', async () => {
        let inside = 0
        let most = 0
        const work = async (): Promise<void> => {
          most = Math.max(most, ++inside)
          for (let step = 0; step < 5; step++) await new Promise((resolve) => setImmediate(resolve))
          inside--
        }
        const callers = Array.from({ length: 45 }, (_, i) => [one, other, third][i % 3]!)
        const options = { permits: 3, ttl: '20s', wait: '20s' }
        await settled(Promise.all(callers.map(({ semaphore }) => semaphore.withPermit(key, options, work))))
        expect(most).toBe(3)
      })

      it('answers null, or times out, when it is full; a permit whose time is over is free', async () => {
        const options = { permits: 2, ttlMs: 10_000, waitMs: 5_000 }
        const first = await one.semaphore.acquire(key, options)
        const second = await settled(other.semaphore.acquire(key, { ...options, ttlMs: 150 }))
        expect(second.fence).toBeGreaterThan(first.fence)
        const got = await settled(third.semaphore.acquire(key, options))
        expect(await one.semaphore.tryAcquire(key, { permits: 2 })).toBeNull()
        await expect(settled(other.semaphore.acquire(key, { ...options, waitMs: 60 }))).rejects.toThrow(
          LockTimeoutError,
        )
        expect(await second.release()).toBe('not-held')
        expect(await one.semaphore.release(first)).toBe('released')
        expect(await got.release()).toBe('released')
      })
    })

    describe('a read-write lock', () => {
      it('lets readers in together and a writer alone', async () => {
        const readers = [await one.readWrite.read(key), await other.readWrite.read(key), await one.readWrite.read(key)]
        expect(await third.readWrite.tryWrite(key)).toBeNull()
        for (const reader of readers) await reader.release()
        const writer = await third.readWrite.write(key, { wait: 0 })
        expect(await one.readWrite.tryRead(key)).toBeNull()
        expect(await one.readWrite.tryWrite(key)).toBeNull()
        expect(writer.fence).toBeGreaterThan(readers[2]!.fence)
        await writer.release()
      })

      it('does not keep a writer out by readers that come later', async () => {
        const reader = await one.readWrite.read(key)
        const order: string[] = []
        const wait = { wait: '10s' }
        const writing = other.readWrite.withWrite(key, wait, () => void order.push('writer'))
        await inLine(other, 1)
        const last = await process()
        const reading = [third, last].map(({ readWrite }) =>
          readWrite.withRead(key, wait, () => void order.push('reader')),
        )
        await inLine(third, 1)
        await inLine(last, 1)
        expect(order).toEqual([])
        await reader.release()
        await settled(Promise.all([writing, ...reading]))
        expect(order).toEqual(['writer', 'reader', 'reader'])
      })
    })

    describe('replicas', () => {
      it('that must have the lock: without them it is not handed out, and nobody holds it', async () => {
        const replicated = { replicas: 1, signal: undefined }
        const hasThem = backend.server.command === null || backend.server.server === null
        if (hasThem) {
          await (await settled(one.mutex.acquire(key, 5_000, 0, replicated))).release()
        } else {
          const error = await settled(one.mutex.acquire(key, 5_000, 0, replicated).catch((cause: unknown) => cause))
          expect(error).toBeInstanceOf(LockUnavailableError)
          expect((error as Error).message).toContain('`replicas`')
          await (await settled(other.mutex.acquire(key, 1_000, 2_000))).release()
        }
      })
    })

    describe('what can’t be meant', () => {
      it.each([
        ['TTL 0', 0],
        ['a negative TTL', -1],
        ['NaN', NaN],
        ['Infinity', Infinity],
        ['more than 24 hours', 86_400_001],
      ])('is refused before the store is asked: %s', async (_, ttlMs) => {
        await expect(one.mutex.acquire(key, ttlMs)).rejects.toThrow(InvalidDurationError)
        await expect(one.mutex.tryAcquire(key, ttlMs)).rejects.toThrow(InvalidDurationError)
        await expect(one.mutex.withLock(key, { ttlMs }, () => 0)).rejects.toThrow(/ttlMs/)
        await expect(one.semaphore.acquire(key, { permits: 1, ttlMs })).rejects.toThrow(InvalidDurationError)
        await expect(one.readWrite.write(key, { ttl: ttlMs })).rejects.toThrow(InvalidDurationError)
        expect(one.store.calls).toEqual([])
      })

      it('is refused as an extension too, and the lock is held as before', async () => {
        const lock = await one.mutex.acquire(key)
        for (const ttlMs of [0, -1, NaN, 86_400_001])
          await expect(lock.extend(ttlMs)).rejects.toThrow(InvalidDurationError)
        lock.assertHeld()
        expect(one.store.calls).toEqual(['acquire'])
        await lock.release()
      })

      it('is refused as a time to wait: negative, NaN, unreadable; and one thing said twice', async () => {
        for (const wait of [-1, NaN, 'soon']) {
          await expect(one.readWrite.read(key, { wait })).rejects.toThrow(InvalidDurationError)
        }
        await expect(one.mutex.acquire(key, 1_000, -5)).rejects.toThrow(/waitMs/)
        await expect(one.readWrite.read(key, { ttl: '1s', ttlMs: 1_000 })).rejects.toThrow(ConfigurationError)
        await expect(one.readWrite.read(key, { wait: '1s', waitMs: 1_000 })).rejects.toThrow(ConfigurationError)
        expect(one.store.calls).toEqual([])
      })

      it.each([
        ['an empty key', ''],
        ['a control character', 'a\nb'],
        ['half a character', 'a\ud83d'],
        ['more than 1,024 bytes', 'x'.repeat(1_025)],
        ['no text', 5 as unknown as string],
      ])('is refused as a key: %s', async (_, bad) => {
        await expect(one.mutex.acquire(bad)).rejects.toThrow(InvalidKeyError)
        await expect(one.mutex.tryAcquire(bad)).rejects.toThrow(InvalidKeyError)
        await expect(one.mutex.withLock(bad, {}, () => 0)).rejects.toThrow(InvalidKeyError)
        await expect(one.semaphore.acquire(bad, { permits: 1 })).rejects.toThrow(InvalidKeyError)
        await expect(one.readWrite.read(bad)).rejects.toThrow(InvalidKeyError)
        expect(one.store.calls).toEqual([])
      })

      it('is refused as a number: permits, replicas', async () => {
        for (const permits of [0, -1, NaN, 1.5, Infinity, undefined as unknown as number, 1_000_001]) {
          await expect(one.semaphore.acquire(key, { permits })).rejects.toThrow(/permits/)
          await expect(one.semaphore.tryAcquire(key, { permits })).rejects.toThrow(ConfigurationError)
        }
        for (const replicas of [-1, NaN, 0.5, 1_001]) {
          await expect(one.mutex.acquire(key, 1_000, 0, { replicas })).rejects.toThrow(/replicas/)
        }
        expect(one.store.calls).toEqual([])
      })
    })

    describe('closing', () => {
      it('rejects those who wait and whoever comes; what is held has a second to be given back', async () => {
        const closing = await process()
        const theirs = await one.mutex.acquire(key, 20_000)
        const held = await closing.mutex.acquire(`${key}:held`, 20_000)
        const waiting = closing.mutex.acquire(key, 1_000, 60_000)
        waiting.catch(() => undefined)
        await inLine(closing, 2)
        const closed = closing.engine.close()
        await expect(settled(waiting)).rejects.toThrow(LockUnavailableError)
        await expect(closing.mutex.acquire('more')).rejects.toThrow(/were closed/)
        await expect(closing.mutex.tryAcquire('more')).rejects.toThrow(LockUnavailableError)
        held.assertHeld()
        expect(await held.release()).toBe('released')
        await settled(closed)
        // Its place in the line is free too.
        await theirs.release()
        await pause(20)
        await (await settled(other.mutex.acquire(key, 10_000, LEFT_MS))).release()
      })
    })
  })
}
