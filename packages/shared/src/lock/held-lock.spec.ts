import { describe, expect, it } from 'vitest'
import { SetClock } from '../../test/support/lock-world.js'
import { HeldLock, type Lock, type LockKeeper, momentOf } from './held-lock.js'
import { keepHeld } from './keep-held.js'
import { LockLostError, LockUnavailableError } from './index.js'

/** A lock in the hand of its holder, whose store does what a test says. */
class Keeper implements LockKeeper {
  readonly extensions: { readonly ttlMs: number; readonly settle: (outcome: boolean | Error) => void }[] = []
  losses = 0

  constructor(readonly clock: SetClock = new SetClock()) {}

  extend(...[, , ttlMs]: Parameters<LockKeeper['extend']>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: boolean | Error): void => (outcome instanceof Error ? reject(outcome) : resolve(outcome))
      this.extensions.push({ ttlMs, settle })
    })
  }

  async release(): Promise<'released'> {
    return 'released'
  }

  lost(): void {
    this.losses++
  }

  lock(ttlMs: number): HeldLock {
    return new HeldLock(this, {
      ...{ lock: { kind: 'mutex', key: 'k' }, holder: { token: 't', mode: 'exclusive' }, fence: 1n, ttlMs },
      ...{ sentAt: momentOf(this.clock), doubtful: false, turns: 0 },
    })
  }
}

/** Without a timer that fires: the process was stopped. */
class StoppedClock extends SetClock {
  private stoppedMs = 0

  override mono(): number {
    return super.mono() + this.stoppedMs
  }

  override wall(): number {
    return super.wall() + this.stoppedMs
  }

  stop(ms: number): void {
    this.stoppedMs += ms
  }
}

/** As Node's: a timer fires up to a millisecond before its time. */
class EarlyClock extends SetClock {
  override timer(ms: number, fn: () => void): ReturnType<SetClock['timer']> {
    return super.timer(Math.max(0, ms > 1 ? ms - 1 : ms), fn)
  }
}

describe('a process that was stopped for longer than its lock’s time', () => {
  const looks: Record<string, (lock: Lock) => unknown> = {
    assertHeld: (lock) => {
      expect(() => lock.assertHeld()).toThrow(LockLostError)
      return true
    },
    signal: ({ signal }) => signal.aborted,
    'held, of the engine': (lock) => !(lock as HeldLock).held,
    'lost, of the engine': (lock) => (lock as HeldLock).lost === 'expired',
  }

  it.each(Object.entries(looks))('is told as soon as it asks, before any timer fires: %s', (_, isLost) => {
    const clock = new StoppedClock()
    const keeper = new Keeper(clock)
    const lock = keeper.lock(1_000)
    clock.stop(1_000)
    expect(isLost(lock)).toBe(true)
    expect(keeper.losses).toBe(1)
    expect(clock.pendingTimers).toBe(0)
  })

  it('sends no extension', async () => {
    const clock = new StoppedClock()
    const keeper = new Keeper(clock)
    const lock = keeper.lock(1_000)
    clock.stop(1_000)
    await expect(lock.extend()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'expired' })
    expect(keeper.extensions).toEqual([])
  })
})

describe('a timer that fires early', () => {
  it('takes nothing from the lock, which is told at its time', async () => {
    const clock = new EarlyClock()
    const lock = new Keeper(clock).lock(1_000)
    await clock.advance(996)
    expect(lock.held).toBe(true)
    const { signal } = lock
    await clock.advance(2)
    expect(signal.aborted).toBe(true)
  })
})

describe('an extension', () => {
  it('counts from when it was sent', async () => {
    const keeper = new Keeper()
    const lock = keeper.lock(1_000)
    const { signal } = lock
    const extending = lock.extend(1_000)
    await keeper.clock.advance(500)
    keeper.extensions[0]!.settle(true)
    await extending
    await keeper.clock.advance(496)
    expect(signal.aborted).toBe(false)
    await keeper.clock.advance(4)
    expect(signal.aborted).toBe(true)
  })

  it('whose answer comes after that of a later one does not count', async () => {
    const keeper = new Keeper()
    const lock = keeper.lock(10_000)
    const extending = [lock.extend(60_000), lock.extend(1_000)]
    keeper.extensions[1]!.settle(true)
    await extending[1]
    keeper.extensions[0]!.settle(true)
    await extending[0]
    await keeper.clock.advance(1_000)
    expect(lock.held).toBe(false)
  })
})

describe('a lock that is kept', () => {
  it('for longer by its holder keeps that', async () => {
    const keeper = new Keeper()
    const lock = keeper.lock(9_000)
    const stop = keepHeld(lock)
    await keeper.clock.advance(1_000)
    const extending = lock.extend(60_000)
    keeper.extensions[0]!.settle(true)
    await extending
    await keeper.clock.advance(50_000)
    expect(keeper.extensions).toHaveLength(1)
    expect(lock.leftMs).toBeGreaterThan(9_000)
    await keeper.clock.advance(5_000)
    expect(keeper.extensions[1]).toMatchObject({ ttlMs: 9_000 })
    stop()
  })

  it('has no timer once it is kept no longer, also when an extension fails then', async () => {
    const keeper = new Keeper()
    const lock = keeper.lock(9_000)
    const stop = keepHeld(lock)
    await keeper.clock.advance(3_100)
    stop()
    await lock.release()
    keeper.extensions[0]!.settle(new LockUnavailableError('no answer'))
    await keeper.clock.settle()
    expect(keeper.clock.pendingTimers).toBe(0)
  })
})
