import { beforeEach, describe, expect, it } from 'vitest'
import { LockWorld, type WorldProcess } from '../../test/support/lock-world.js'
import {
  LockEngine,
  type LockStore,
  lockAcquired,
  LockLostError,
  lockLost,
  lockReleased,
  lockTimedOut,
  LockTimeoutError,
  LockUnavailableError,
} from './index.js'
import { MemoryLockStore } from './stores/memory.js'

/** Locks of several processes on one memory store, whose network and clock a test commands. */

let world: LockWorld
let one: WorldProcess
let other: WorldProcess
const KEY = 'invoice-number:t1'

beforeEach(() => {
  world = new LockWorld()
  one = world.process()
  other = world.process()
})

const advance = (ms: number): Promise<void> => world.clock.advance(ms)
/** A failure as a value. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it did not fail',
    (error: unknown) => error,
  )

describe('an answer that comes late', () => {
  it('is never a lock: what is over when it comes is given back, and asked for anew with another token', async () => {
    one.store.next.acquire = [{ replyMs: 150 }]
    const lock = await world.settled(one.mutex.acquire(KEY, 100, 5_000))
    lock.assertHeld()
    const [first, second] = one.store.requests
    expect(second!.holder.token).not.toBe(first!.holder.token)
    expect(lock.token).toBe(second!.holder.token)
    expect(one.store.calls).toEqual(['acquire', 'release', 'acquire'])
    await lock.release()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('is counted from when the call was sent', async () => {
    one.store.next.acquire = [{ replyMs: 900 }]
    const lock = await world.settled(one.mutex.acquire(KEY, 1_000, 5_000))
    expect(lock.expiresAt).toBeLessThanOrEqual(world.clock.wall() + 100)
    await advance(100)
    expect(lock.signal.aborted).toBe(true)
  })

  it('is asked for once where the caller asks once: the store was too slow for the time, and says so', async () => {
    one.store.next.acquire = Array.from({ length: 50 }, () => ({ replyMs: 150 }))
    const failure = await world.settled(failureOf(one.mutex.tryAcquire(KEY, 100)), 5_000)
    expect(failure).toBeInstanceOf(LockUnavailableError)
    expect((failure as Error).message).toContain('ttlMs')
    expect(one.store.calls.filter((call) => call === 'acquire')).toHaveLength(1)
  })

  it('that is always too late ends in the caller’s time with what was wrong', async () => {
    one.store.next.acquire = Array.from({ length: 50 }, () => ({ replyMs: 150 }))
    const failure = await world.settled(failureOf(one.mutex.acquire(KEY, 100, 1_000)))
    expect(failure).toBeInstanceOf(LockUnavailableError)
    await advance(1_000)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('of an extension that is over when it comes does not bring the lock back', async () => {
    const lock = await one.mutex.acquire(KEY, 100)
    one.store.next.extend = [{ replyMs: 150 }]
    const extending = failureOf(lock.extend(10_000))
    await advance(100)
    expect(lock.signal.aborted).toBe(true)
    await advance(100)
    expect(await extending).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' })
    expect(() => lock.assertHeld()).toThrow(LockLostError)
  })
})

describe('a reply that is lost', () => {
  it('does not make its own retry wait: the same token asks again, and holds once', async () => {
    one.store.next.acquire = ['reply lost', 'reply lost']
    const lock = await world.settled(one.mutex.acquire(KEY, 60_000, 5_000))
    expect(world.clock.mono()).toBeLessThan(500)
    expect(new Set(one.store.requests.map(({ holder }) => holder.token)).size).toBe(1)
    expect(await lock.release()).toBe('released')
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('leaves nothing held when its caller has no time for a retry', async () => {
    one.store.next.acquire = ['reply lost']
    expect(await failureOf(one.mutex.tryAcquire(KEY, 60_000))).toBeInstanceOf(LockUnavailableError)
    await advance(10)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('of a release: the outcome is unknown, it is repeated, and the lock is free', async () => {
    const lock = await one.mutex.acquire(KEY, 60_000)
    one.store.next.release = ['lost', 'lost', 'reply lost']
    expect(await lock.release()).toBe('unknown')
    expect(() => lock.assertHeld()).toThrow(LockLostError)
    await advance(5_000)
    expect(await lock.release()).toBe('not-held')
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
    expect(world.clock.pendingTimers).toBe(1)
  })

  it('leaves no place in the line: who comes later is not kept waiting for a process that went away', async () => {
    const held = await one.mutex.acquire(KEY)
    other.store.next.acquire = Array.from({ length: 30 }, () => 'reply lost' as const)
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 500))
    await advance(500)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    await held.release()
    await advance(1)
    expect(await one.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('a straggler', () => {
  it('that lands after its lock was given back takes nothing', async () => {
    one.store.next.acquire = ['late', 'nothing']
    const lock = await world.settled(one.mutex.acquire(KEY, 60_000, 5_000))
    expect(await lock.release()).toBe('released')
    await one.store.landLate()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('that lands after its caller went away takes nothing', async () => {
    one.store.next.acquire = ['late', 'late', 'late', 'late', 'late', 'late', 'late', 'late', 'late', 'late']
    const waiting = failureOf(one.mutex.acquire(KEY, 60_000, 100))
    await advance(110)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    await one.store.landLate()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('that lands after its caller went away between two questions takes nothing', async () => {
    const controller = new AbortController()
    await advance(1)
    const held = await other.mutex.acquire(KEY, 60_000)
    const waiting = failureOf(one.mutex.acquire(KEY, 60_000, 60_000, { signal: controller.signal }))
    await advance(1)
    one.store.next.acquire = ['late']
    one.store.gap()
    await world.clock.settle()
    // It is woken from its pause before the next question, and leaves at the same moment.
    one.store.gap()
    controller.abort(new Error('over'))
    expect(await waiting).toEqual(new Error('over'))
    await held.release()
    await world.clock.settle()
    await one.store.landLate()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('takes no time from a lock that was extended', async () => {
    one.store.next.acquire = ['late', 'nothing']
    const lock = await world.settled(one.mutex.acquire(KEY, 1_000, 5_000))
    await lock.extend(60_000)
    await one.store.landLate()
    await advance(5_000)
    lock.assertHeld()
    expect(await other.mutex.tryAcquire(KEY)).toBeNull()
  })

  it('of a shorter extension takes no time from a longer one', async () => {
    const lock = await one.mutex.acquire(KEY, 60_000)
    one.store.next.extend = ['late']
    expect(await failureOf(lock.extend(1_000))).toBeInstanceOf(LockUnavailableError)
    await lock.extend(60_000)
    await one.store.landLate()
    await advance(5_000)
    lock.assertHeld()
    expect(await other.mutex.tryAcquire(KEY)).toBeNull()
  })
})

describe('a lock that is lost', () => {
  it('fires its signal at the local deadline though the connection hangs', async () => {
    const lock = await one.mutex.acquire(KEY, 1_000)
    one.store.always = 'hangs'
    const extending = lock.extend()
    extending.catch(() => undefined)
    let told: unknown
    lock.signal.addEventListener('abort', () => (told = lock.signal.reason))
    await advance(990)
    expect(told).toBeUndefined()
    await advance(10)
    expect(told).toMatchObject({ code: 'LOCK_LOST', reason: 'expired', key: KEY })
  })

  it('ends here before it ends in the store', async () => {
    const lock = await one.mutex.acquire(KEY, 1_000)
    while (!lock.signal.aborted) await advance(1)
    expect(await other.mutex.tryAcquire(KEY)).toBeNull()
    expect(world.clock.mono()).toBeGreaterThan(990)
    await advance(1_001 - world.clock.mono())
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('by a wall clock that jumps forward is lost at once; one that jumps back prolongs nothing', async () => {
    const lock = await one.mutex.acquire(KEY, 10_000)
    world.clock.setWall(3_600_000)
    expect(() => lock.assertHeld()).toThrow(LockLostError)
    expect(lock.signal.aborted).toBe(true)
    const later = await other.mutex.acquire(`${KEY}:b`, 10_000)
    world.clock.setWall(-7_200_000)
    later.assertHeld()
    await advance(9_980)
    later.assertHeld()
    await advance(20)
    expect(later.signal.aborted).toBe(true)
  })

  it('is never got again by an extension, also when nobody else holds it', async () => {
    const lock = await one.mutex.acquire(KEY, 100)
    await advance(200)
    expect(await failureOf(lock.extend(1_000))).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' })
    expect(one.store.calls).not.toContain('extend')
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('is lost also when the store lost it: the extension says so, the signal fires, and release does not throw', async () => {
    const lock = await one.mutex.acquire(KEY, 10_000)
    const { lock: name, holder } = one.store.requests[0]!
    expect(holder).toMatchObject({ token: lock.token })
    await other.store.release({ lock: name, holder })
    expect(await failureOf(lock.extend())).toMatchObject({ code: 'LOCK_LOST', reason: 'gone' })
    expect(lock.signal.reason).toMatchObject({ reason: 'gone' })
    expect(await lock.release()).toBe('not-held')
  })

  it('is no error to release', async () => {
    const lock = await one.mutex.acquire(KEY, 100)
    await advance(200)
    expect(await lock.release()).toBe('not-held')
    expect(await one.mutex.release(lock)).toBe('not-held')
  })

  it('stays lost when it is extended for less and the store does not answer', async () => {
    const lock = await one.mutex.acquire(KEY, 10_000)
    one.store.next.extend = ['lost']
    expect(await failureOf(lock.extend(100))).toBeInstanceOf(LockUnavailableError)
    lock.assertHeld()
    await advance(100)
    expect(() => lock.assertHeld()).toThrow(LockLostError)
  })

  it('found out by withLock only at the end is an error all the same', async () => {
    const working = failureOf(
      one.mutex.withLock(KEY, { ttlMs: 10_000 }, async () => {
        const { lock, holder } = one.store.requests[0]!
        await other.store.release({ lock, holder })
        return 'done'
      }),
    )
    expect(await working).toMatchObject({ code: 'LOCK_LOST', reason: 'gone' })
  })
})

describe('withLock', () => {
  it('extends at each third of the time, and sooner again when the store did not answer', async () => {
    let end = (): void => undefined
    const working = one.mutex.withLock(KEY, { ttlMs: 12_000 }, () => new Promise<void>((resolve) => (end = resolve)))
    await advance(3_900)
    expect(one.store.taken()).toEqual(['acquire'])
    await advance(200)
    expect(one.store.taken()).toEqual(['extend'])
    one.store.next.extend = ['lost', 'lost']
    await advance(4_000)
    expect(one.store.taken()).toEqual(['extend'])
    await advance(1_000)
    expect(one.store.taken()).toEqual(['extend'])
    await advance(1_000)
    expect(one.store.taken()).toEqual(['extend'])
    end()
    await working
    expect(one.store.taken()).toEqual(['release'])
    await advance(30_000)
    expect(one.store.taken()).toEqual([])
    expect(world.clock.pendingTimers).toBe(0)
  })
})

describe('those who wait', () => {
  it('time out each by its own time, also behind others of their process', async () => {
    const held = await one.mutex.acquire(KEY, 60_000)
    const ended: string[] = []
    const waiter = (name: string, ms: number): Promise<unknown> =>
      other.mutex.acquire(KEY, 1_000, ms).catch((error: unknown) => {
        ended.push(`${name} ${world.clock.mono()} ${(error as LockTimeoutError).waitedMs}`)
      })
    const waiting = [waiter('a', 3_000), waiter('b', 1_000), waiter('c', 5_000), waiter('d', 200)]
    await advance(6_000)
    await Promise.all(waiting)
    expect(ended).toEqual(['d 200 200', 'b 1000 1000', 'a 3000 3000', 'c 5000 5000'])
    await held.release()
  })

  it('are not kept by a waiter that died for more than 2.5 s', async () => {
    const third = world.process()
    const held = await one.mutex.acquire(KEY, 60_000)
    other.mutex.acquire(KEY, 1_000, 60_000).catch(() => undefined)
    await advance(10)
    const waiting = third.mutex.acquire(KEY, 1_000, 60_000)
    await advance(1_190)
    other.die()
    const since = world.clock.mono()
    await held.release()
    await world.settled(waiting)
    expect(world.clock.mono() - since).toBeLessThanOrEqual(2_500)
  })

  it('don’t add up the time of several dead in front', async () => {
    const held = await one.mutex.acquire(KEY, 60_000)
    const dead = [world.process(), world.process(), world.process()]
    for (const each of dead) {
      each.mutex.acquire(KEY, 1_000, 60_000).catch(() => undefined)
      await advance(1)
    }
    const waiting = other.mutex.acquire(KEY, 1_000, 60_000)
    await advance(1)
    for (const each of dead) each.die()
    const since = world.clock.mono()
    await held.release()
    await world.settled(waiting)
    expect(world.clock.mono() - since).toBeLessThanOrEqual(2_500)
  })

  it('lose a heartbeat at most by a wake-up that is lost', async () => {
    const held = await one.mutex.acquire(KEY, 60_000)
    const waiting = other.mutex.acquire(KEY, 1_000, 60_000)
    await advance(1_000)
    other.store.deaf = true
    const since = world.clock.mono()
    await held.release()
    await world.settled(waiting)
    expect(world.clock.mono() - since).toBeLessThanOrEqual(610)
  })

  it('ask at once when wake-ups may have been missed', async () => {
    const held = await one.mutex.acquire(KEY, 60_000)
    const waiting = other.mutex.acquire(KEY, 1_000, 60_000)
    await advance(1_000)
    other.store.deaf = true
    await held.release()
    other.store.gap()
    const since = world.clock.mono()
    await world.settled(waiting)
    expect(world.clock.mono() - since).toBeLessThanOrEqual(10)
  })

  it('ask now and then while wake-ups can’t be heard, and are heard again later', async () => {
    other.store.next.listen = ['lost', 'lost']
    const held = await one.mutex.acquire(KEY, 60_000)
    const waiting = other.mutex.acquire(KEY, 1_000, 60_000)
    await advance(150)
    const since = world.clock.mono()
    await held.release()
    await (await world.settled(waiting)).release()
    expect(world.clock.mono() - since).toBeLessThanOrEqual(110)
  })

  it('come in when the time of a holder that died is over, without a message', async () => {
    await one.mutex.acquire(KEY, 1_500)
    one.die()
    const waiting = other.mutex.acquire(KEY, 1_000, 60_000)
    await world.settled(waiting)
    expect(world.clock.mono()).toBeGreaterThanOrEqual(1_500)
    expect(world.clock.mono()).toBeLessThanOrEqual(1_520)
  })

  it('keep their place when the one in front of them in their process leaves', async () => {
    const third = world.process()
    const held = await one.mutex.acquire(KEY, 60_000)
    const leaving = failureOf(other.mutex.acquire(KEY, 1_000, 500))
    await advance(1)
    const order: string[] = []
    const second = other.mutex.withLock(KEY, { waitMs: 60_000 }, () => void order.push('other'))
    await advance(1)
    const last = third.mutex.withLock(KEY, { waitMs: 60_000 }, () => void order.push('third'))
    await advance(600)
    expect(await leaving).toBeInstanceOf(LockTimeoutError)
    await held.release()
    await world.settled(Promise.all([second, last]))
    expect(order).toEqual(['other', 'third'])
  })

  it('are told that the store is away, also behind others; that nobody else holds it is not known', async () => {
    one.store.always = 'lost'
    const waiting = [1_000, 1_500].map((ms) => failureOf(one.mutex.acquire(KEY, 1_000, ms)))
    await advance(700)
    const once = failureOf(one.mutex.tryAcquire(KEY))
    await advance(1_000)
    for (const failure of await Promise.all([...waiting, once])) {
      expect(failure).toBeInstanceOf(LockUnavailableError)
      expect((failure as LockUnavailableError).code).toBe('LOCK_UNAVAILABLE')
    }
  })

  it('leave no place behind when who asks once comes last', async () => {
    const held = await one.mutex.acquire(KEY, 60_000)
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 610))
    await advance(590)
    // Its next question is under way when it leaves.
    other.store.next.acquire = [{ replyMs: 50 }]
    await advance(15)
    const once = other.mutex.tryAcquire(KEY)
    await advance(100)
    expect(await waiting).toBeInstanceOf(LockTimeoutError)
    expect(await once).toBeNull()
    await held.release()
    await advance(1)
    expect(await one.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('a store that never answers', () => {
  it('keeps nobody longer than the time that they have', async () => {
    one.store.always = 'hangs'
    const ended: number[] = []
    const waiting = [400, 100, 250].map(async (ms) => {
      await failureOf(one.mutex.acquire(KEY, 1_000, ms))
      ended.push(world.clock.mono())
    })
    await advance(500)
    await Promise.all(waiting)
    expect(ended).toEqual([100, 250, 400])
  })
})

describe('a caller that leaves while its grant is under way', () => {
  it.each(['time', 'signal'] as const)('has nothing: it is given back (%s)', async (why) => {
    one.store.next.acquire = [{ replyMs: 300 }]
    const controller = new AbortController()
    const reason = new Error('over')
    const waiting = failureOf(one.mutex.acquire(KEY, 60_000, 100, { signal: controller.signal }))
    if (why === 'signal') controller.abort(reason)
    await advance(100)
    expect(await waiting).toEqual(why === 'signal' ? reason : expect.any(LockTimeoutError))
    expect(await other.mutex.tryAcquire(KEY)).toBeNull()
    await advance(201)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('a grant that too few replicas have', () => {
  /** As many replicas as the list says have each grant, none afterwards. */
  function replicated(counts: number[]): { engine: LockEngine; tokens: string[] } {
    const inner = new MemoryLockStore(world.hub, 'vextrus:')
    const tokens: string[] = []
    const store: LockStore = {
      async acquire(request) {
        tokens.push(request.holder.token)
        const reply = await inner.acquire(request)
        return reply.fence === null ? reply : { ...reply, replicas: counts.shift() ?? 0 }
      },
      extend: (lock, holder, ttlMs) => inner.extend(lock, holder, ttlMs),
      release: (request) => inner.release(request),
      listen: (process, listener) => inner.listen(process, listener),
    }
    return { engine: new LockEngine(store, {}, { clock: world.clock }), tokens }
  }

  it('is given back, and asked for anew with another token until enough have it', async () => {
    const { engine, tokens } = replicated([0, 1, 2])
    const lock = await world.settled(engine.acquire('mutex', KEY, 'exclusive', { replicas: 2, waitMs: 5_000 }))
    expect(new Set(tokens).size).toBe(3)
    expect(lock.token).toBe(tokens[2])
    await lock.release()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('is nobody’s when the time is over, and the error says what was missing', async () => {
    const { engine } = replicated([])
    const wanted = engine.acquire('mutex', KEY, 'exclusive', { replicas: 2, waitMs: 500 })
    const failure = await world.settled(failureOf(wanted))
    expect(failure).toBeInstanceOf(LockUnavailableError)
    expect((failure as Error).message).toContain('0 of 2 replicas')
    await advance(1)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('within a process', () => {
  it('a lock goes from caller to caller in one call to the store each', async () => {
    const held = await one.mutex.acquire(KEY)
    const turns = 6
    const waiting = Array.from({ length: turns }, () =>
      one.mutex.withLock(KEY, { waitMs: 60_000 }, ({ fence }) => fence),
    )
    await advance(1)
    one.store.taken()
    await held.release()
    const fences = await world.settled(Promise.all(waiting))
    expect(one.store.taken()).toEqual([...Array.from({ length: turns }, () => 'acquire'), 'release'])
    expect(fences).toEqual(fences.toSorted((a, b) => Number(a - b)))
    expect(fences[0]).toBeGreaterThan(held.fence)
  })

  it('a lock goes on so often, then a process that waits has its turn, and so on', async () => {
    const turns = world.process({ localTurns: 2 })
    const order: string[] = []
    const held = await turns.mutex.acquire(KEY)
    const theirs = [1, 2].map((n) => other.mutex.withLock(KEY, { waitMs: 60_000 }, () => void order.push(`their ${n}`)))
    await advance(1)
    const ours = [1, 2, 3, 4, 5].map((n) =>
      turns.mutex.withLock(KEY, { waitMs: 60_000 }, () => void order.push(`our ${n}`)),
    )
    await advance(1)
    await held.release()
    await world.settled(Promise.all([...theirs, ...ours]))
    expect(order.slice(0, 3)).toEqual(['our 1', 'our 2', 'their 1'])
    expect(order).toHaveLength(7)
  })

  it('two callers that take turns don’t keep another process out', async () => {
    let isIn = false
    let turns = 0
    const worker = async (): Promise<void> => {
      while (!isIn) {
        await one.mutex.withLock(KEY, { waitMs: 60_000 }, async () => {
          turns++
          await new Promise<void>((resolve) => world.clock.timer(5, resolve))
        })
      }
    }
    const working = [worker(), worker()]
    await advance(50)
    const before = turns
    await world.settled(
      other.mutex.withLock(KEY, { waitMs: 60_000 }, () => void (isIn = true)),
      5_000,
    )
    expect(turns - before).toBeLessThanOrEqual(10)
    await world.settled(Promise.all(working))
  })

  it('readers that follow each other don’t keep a writer of another process out', async () => {
    let isIn = false
    let reads = 0
    const reader = async (): Promise<void> => {
      while (!isIn) {
        const lock = await one.readWrite.read(KEY, { wait: '60s' })
        reads++
        await new Promise<void>((resolve) => world.clock.timer(20, resolve))
        await lock.release()
      }
    }
    const reading = [reader(), reader(), reader()]
    await advance(50)
    const before = reads
    const writing = other.readWrite.withWrite(KEY, { wait: '60s' }, () => void (isIn = true))
    await world.settled(writing, 5_000)
    expect(reads - before).toBeLessThan(40)
    await world.settled(Promise.all(reading))
  })

  it('a lock whose giving back was not answered goes to the next all the same, and is not left held', async () => {
    const held = await one.mutex.acquire(KEY, 60_000)
    const waiting = one.mutex.acquire(KEY, 60_000, 10_000)
    await advance(1)
    one.store.next.acquire = ['lost']
    expect(await held.release()).toBe('unknown')
    const next = await world.settled(waiting)
    expect(next.fence).toBeGreaterThan(held.fence)
    await next.release()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('after all', () => {
  it('nothing is left: no timer, no line, no lock, no place, whatever the outcomes were', async () => {
    const controller = new AbortController()
    const held = await one.mutex.acquire(KEY, 30_000)
    const outcomes = [
      one.mutex.withLock(`${KEY}:a`, {}, () => 1),
      other.mutex.acquire(KEY, 1_000, 100),
      other.mutex.acquire(KEY, 1_000, 0),
      other.mutex.acquire(KEY, 1_000, 30_000, { signal: controller.signal }),
      one.mutex.withLock(KEY, { waitMs: 20_000 }, () => 2),
      other.semaphore.withPermit(KEY, { permits: 1 }, () => 3),
      other.readWrite.withWrite(KEY, {}, () => 4),
      other.mutex.withLock(KEY, { waitMs: 20_000 }, () => 5),
    ].map(failureOf)
    await advance(200)
    controller.abort(new Error('over'))
    other.store.next.acquire = ['lost', 'reply lost']
    await held.release()
    await world.settled(Promise.all(outcomes))
    const away = world.process()
    away.store.always = 'lost'
    expect(await world.settled(failureOf(away.mutex.acquire(KEY, 1_000, 500)))).toBeInstanceOf(LockUnavailableError)
    expect(await world.settled(failureOf(away.mutex.tryAcquire(KEY)))).toBeInstanceOf(LockUnavailableError)
    away.store.always = undefined
    await advance(60_000)
    expect(world.leftovers).toEqual({ lines: 0, held: 0 })
    expect(world.clock.pendingTimers).toBe(0)
    expect(await world.process().mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('a signal that many calls were given has no listener of ours', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    const held = await one.mutex.acquire(KEY, 60_000)
    const waiting = Array.from({ length: 30 }, () => failureOf(other.mutex.acquire(KEY, 1_000, 100, { signal })))
    await advance(200)
    await Promise.all(waiting)
    expect(listeners).toBe(0)
    await held.release()
  })
})

describe('close', () => {
  it('gives what is held a second, and takes nothing from work that goes on', async () => {
    const lock = await one.mutex.acquire(KEY, 20_000)
    let isClosed = false
    const closing = one.engine.close().then(() => (isClosed = true))
    await advance(999)
    expect(isClosed).toBe(false)
    await advance(1)
    await closing
    lock.assertHeld()
    expect(await other.mutex.tryAcquire(KEY)).toBeNull()
    expect(await lock.release()).toBe('released')
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('is done at once when nothing is held, and as soon as the last is given back', async () => {
    await other.engine.close()
    const lock = await one.mutex.acquire(KEY)
    const closing = one.engine.close()
    await lock.release()
    await closing
    expect(world.clock.mono()).toBe(0)
    expect(world.clock.pendingTimers).toBe(0)
  })
})

describe('events', () => {
  it('tell of waits, holds, losses and time-outs', async () => {
    const told: unknown[] = []
    const stops = [lockAcquired, lockReleased, lockLost, lockTimedOut].map((event) =>
      event.subscribe((payload: object) => void told.push({ event: event.name, ...payload })),
    )
    const lock = await one.mutex.acquire(KEY, 1_000)
    const waiting = failureOf(other.mutex.acquire(KEY, 1_000, 100))
    await advance(100)
    await waiting
    await lock.release()
    const lost = await one.semaphore.acquire(KEY, { permits: 2, ttl: 100, wait: 0 })
    await advance(200)
    await lost.release()
    for (const stop of stops) stop()
    const [mutex, semaphore] = [
      { kind: 'mutex', key: KEY },
      { kind: 'semaphore', key: KEY },
    ]
    expect(told).toEqual([
      { event: 'vextrus:lock.acquired', ...mutex, waitMs: 0, fence: lock.fence },
      { event: 'vextrus:lock.timed-out', ...mutex, waitMs: 100, unavailable: false },
      { event: 'vextrus:lock.released', ...mutex, heldMs: 100, outcome: 'released' },
      { event: 'vextrus:lock.acquired', ...semaphore, waitMs: 0, fence: lost.fence },
      { event: 'vextrus:lock.lost', ...semaphore, heldMs: expect.closeTo(98, 0), reason: 'expired' },
      { event: 'vextrus:lock.released', ...semaphore, heldMs: 200, outcome: 'not-held' },
    ])
  })
})
