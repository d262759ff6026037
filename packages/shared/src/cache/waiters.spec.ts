import { beforeEach, describe, expect, it } from 'vitest'
import { ManualPushes } from '../../test/support/manual-pushes.js'
import { FakeClock } from '../testing/fake-clock.js'
import { Waiters } from './waiters.js'

let clock: FakeClock
let source: ManualPushes
let waiters: Waiters

beforeEach(() => {
  clock = new FakeClock()
  source = new ManualPushes()
  waiters = new Waiters(source, clock)
})

async function ended(wait: Promise<void>): Promise<boolean> {
  let over = false
  void wait.then(() => (over = true))
  await clock.settle()
  return over
}

describe('a wait (R10)', () => {
  it('ends with the first wake of its key, and leaves no timer', async () => {
    const wait = waiters.open('k')
    const waiting = wait.atMost(3_000)
    source.tell('other')
    expect(await ended(waiting)).toBe(false)
    source.tell('k')
    expect(await ended(waiting)).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends at once when the wake came before the waiting, after the opening', async () => {
    const wait = waiters.open('k')
    source.tell('k')
    expect(await ended(wait.atMost(3_000))).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not hear what came before it was opened', async () => {
    source.tell('k')
    expect(await ended(waiters.open('k').atMost(3_000))).toBe(false)
  })

  it('ends after its time', async () => {
    const waiting = waiters.open('k').atMost(3_000)
    await clock.advance(2_999)
    expect(await ended(waiting)).toBe(false)
    await clock.advance(1)
    expect(await ended(waiting)).toBe(true)
  })

  it('ends with a reset: any key may be meant', async () => {
    const waits = [waiters.open('a').atMost(3_000), waiters.open('b').atMost(3_000)]
    source.tell(null)
    expect(await Promise.all(waits.map(ended))).toEqual([true, true])
  })

  it('looks again after 50 ms while pushes can be missed', async () => {
    source.live = false
    const [long, short] = [waiters.open('k').atMost(3_000), waiters.open('k').atMost(20)]
    await clock.advance(20)
    expect([await ended(long), await ended(short)]).toEqual([false, true])
    await clock.advance(30)
    expect(await ended(long)).toBe(true)
  })

  it('is one of many for a key, and closing one leaves the others', async () => {
    const [first, second] = [waiters.open('k'), waiters.open('k')]
    first.close()
    first.close()
    const third = waiters.open('k')
    const waiting = [second.atMost(3_000), third.atMost(3_000)]
    source.tell('k')
    expect(await Promise.all(waiting.map(ended))).toEqual([true, true])
    second.close()
    third.close()
    const next = waiters.open('k').atMost(3_000)
    source.tell('k')
    expect(await ended(next)).toBe(true)
  })
})

describe('closing', () => {
  it('lets everybody go and stops listening', async () => {
    const waiting = waiters.open('k').atMost(3_000)
    waiters.close()
    expect(await ended(waiting)).toBe(true)
    expect(source.listening).toBe(0)
  })
})
