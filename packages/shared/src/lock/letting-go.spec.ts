import { beforeEach, describe, expect, it } from 'vitest'
import { LockWorld, type WorldProcess } from '../../test/support/lock-world.js'
import { LockUnavailableError } from './index.js'

/** What a process has, or may have, in the store, and lets go of when nobody here wants it any more. */

let world: LockWorld
let one: WorldProcess
let other: WorldProcess
const KEY = 'balance:t1'
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

describe('a lock that was to be handed on within the process', () => {
  it('is given back when the one who waited for it leaves at the same moment, and the answer says so', async () => {
    const held = await one.mutex.acquire(KEY, LONG_MS)
    const controller = new AbortController()
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, LONG_MS, { signal: controller.signal }))
    await advance(1)
    const releasing = held.release()
    controller.abort(new Error('over'))
    expect(await releasing).toBe('released')
    await waiting
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('is given back when the one behind left while it was got, and the answer says so', async () => {
    const held = await other.mutex.acquire(KEY, LONG_MS)
    const controller = new AbortController()
    const getting = one.mutex.acquire(KEY, LONG_MS, LONG_MS)
    const leaving = failureOf(one.mutex.acquire(KEY, LONG_MS, LONG_MS, { signal: controller.signal }))
    await advance(1)
    one.store.next.acquire = [{ replyMs: 50 }]
    await held.release()
    await advance(10)
    controller.abort(new Error('over'))
    const lock = await world.settled(getting)
    await leaving
    // Nobody waits, so there is no line, and no place in the store's.
    expect(world.leftovers).toEqual({ lines: 0, held: 1 })
    expect(await lock.release()).toBe('released')
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('comes at its end to the next when its holder does not give it back', async () => {
    const held = await other.mutex.acquire(KEY, LONG_MS)
    const forgotten = one.mutex.acquire(KEY, 100, LONG_MS)
    const next = one.mutex.acquire(KEY, LONG_MS, 400)
    await advance(1)
    await held.release()
    await world.settled(Promise.all([forgotten, next]))
    expect(world.clock.mono()).toBeLessThan(150)
  })
})

describe('a caller that asks once', () => {
  it('takes no place from the one who waits behind it', async () => {
    // Wake-ups are heard from here on.
    await (await world.settled(one.mutex.acquire('other', 10))).release()
    const away = await other.mutex.acquire('other', LONG_MS)
    one.mutex.acquire('other', LONG_MS, 50).catch(() => undefined)
    await advance(100)
    await away.release()
    const order: string[] = []
    const controller = new AbortController()
    const leaving = failureOf(one.mutex.acquire(KEY, LONG_MS, LONG_MS, { signal: controller.signal }))
    const once = one.mutex.tryAcquire(KEY, 1_000)
    const first = one.mutex.withLock(KEY, { waitMs: LONG_MS }, () => void order.push('first'))
    controller.abort(new Error('over'))
    await leaving
    expect(await once).not.toBeNull()
    await advance(10)
    const second = other.mutex.withLock(KEY, { waitMs: LONG_MS }, () => void order.push('second'))
    await world.settled(Promise.all([first, second]))
    expect(order).toEqual(['first', 'second'])
  })
})

describe('while the store is away', () => {
  it('what was given back is given back when it answers again, however late, if it would still be taken', async () => {
    const lock = await one.mutex.acquire(KEY, 3_600_000)
    one.store.always = 'lost'
    expect(await lock.release()).toBe('unknown')
    await advance(120_000)
    one.store.always = undefined
    await advance(5_000)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('what was to be handed on is given back too', async () => {
    const lock = await one.mutex.acquire(KEY, 3_600_000)
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, 1_000))
    await advance(1)
    one.store.always = 'lost'
    expect(await lock.release()).toBe('unknown')
    await advance(120_000)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    one.store.always = undefined
    await advance(5_000)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('what was not even asked for is not given back: a thousand callers leave nothing that goes on', async () => {
    one.store.acquire = () => Promise.reject(new LockUnavailableError('not connected', { unsent: true }))
    const callers = Array.from({ length: 1_000 }, () => failureOf(one.mutex.tryAcquire(KEY)))
    for (const failure of await Promise.all(callers)) expect(failure).toBeInstanceOf(LockUnavailableError)
    await advance(1)
    expect(one.store.taken().filter((call) => call === 'release')).toEqual([])
    expect(world.leftovers.lines).toBe(0)
  })

  it('what may have been granted is still given up when the store is not even asked at last', async () => {
    one.store.next.acquire = ['late']
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, 100))
    await advance(1)
    one.store.acquire = () => Promise.reject(new LockUnavailableError('not connected', { unsent: true }))
    await advance(100)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    await one.store.landLate()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })
})

describe('close', () => {
  it('waits for what is under way, so that a lock which is granted to nobody is given back before the connection goes', async () => {
    one.store.next.acquire = [{ replyMs: 50 }]
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, 5_000))
    await advance(10)
    await world.settled(one.engine.close())
    one.die()
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    expect(world.clock.mono()).toBeLessThan(100)
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('waits until the line is left, so that nobody waits for the dead', async () => {
    const held = await other.mutex.acquire(KEY, LONG_MS)
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, 5_000))
    await advance(10)
    one.store.next.release = [{ replyMs: 20 }]
    let isClosed = false
    const closing = one.engine.close().then(() => (isClosed = true))
    await advance(19)
    expect(isClosed).toBe(false)
    await advance(1)
    await closing
    one.die()
    await waiting
    await held.release()
    expect(await other.mutex.tryAcquire(KEY)).not.toBeNull()
  })

  it('waits a second at most for a store that does not answer', async () => {
    one.store.always = 'hangs'
    const waiting = failureOf(one.mutex.acquire(KEY, LONG_MS, 5_000))
    await world.settled(one.engine.close())
    expect(world.clock.mono()).toBe(1_000)
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
  })
})
