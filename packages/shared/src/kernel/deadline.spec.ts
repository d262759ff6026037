import { describe, expect, it } from 'vitest'
import type { Clock } from './clock.js'
import { withDeadline } from './deadline.js'

class HandClock implements Clock {
  private now = 0
  readonly pending = new Map<object, { at: number; fn: () => void }>()
  mono = () => this.now
  wall = () => this.now
  timer(ms: number, fn: () => void) {
    const handle = { cancel: () => this.pending.delete(handle) }
    this.pending.set(handle, { at: this.now + ms, fn })
    return handle
  }
  advance(ms: number): void {
    this.now += ms
    for (const [handle, { at, fn }] of this.pending) {
      if (at <= this.now && this.pending.delete(handle)) fn()
    }
  }
}

const late = () => new Error('too late')

describe('withDeadline', () => {
  it('answers what came in time, and leaves no timer', async () => {
    const clock = new HandClock()
    expect(await withDeadline(Promise.resolve(7), 100, clock, late)).toBe(7)
    expect(clock.pending.size).toBe(0)
  })

  it('passes a rejection that came in time, and leaves no timer', async () => {
    const clock = new HandClock()
    const failure = new Error('refused')
    await expect(withDeadline(Promise.reject(failure), 100, clock, late)).rejects.toBe(failure)
    expect(clock.pending.size).toBe(0)
  })

  it('rejects at the deadline and not before', async () => {
    const clock = new HandClock()
    let outcome = 'pending'
    const guarded = withDeadline(new Promise(() => undefined), 100, clock, late).catch(
      (error: Error) => (outcome = error.message),
    )
    clock.advance(99)
    await Promise.resolve()
    expect(outcome).toBe('pending')
    clock.advance(1)
    await guarded
    expect(outcome).toBe('too late')
  })

  it('makes the error only when it is needed', async () => {
    let made = 0
    await withDeadline(Promise.resolve(1), 100, new HandClock(), () => new Error(String(++made)))
    expect(made).toBe(0)
  })

  it('leaves a rejection after the deadline handled', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    const clock = new HandClock()
    let fail!: (error: Error) => void
    const guarded = withDeadline(new Promise((_, reject) => (fail = reject)), 100, clock, late)
    clock.advance(100)
    await expect(guarded).rejects.toThrow('too late')
    fail(new Error('nobody listens'))
    // Node reports unhandled rejections when the microtasks have run dry: one macrotask later they would be known.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  it("never asks for a timer that is longer than Node's timers can be", () => {
    const clock = new HandClock()
    void withDeadline(new Promise(() => undefined), 90 * 86_400_000, clock, late)
    expect([...clock.pending.values()].map(({ at }) => at)).toEqual([2 ** 31 - 1])
  })
})
