import { describe, expect, it } from 'vitest'
import { CircuitBreaker } from './circuit-breaker.js'
import type { Clock } from './clock.js'

function setUp() {
  let now = 0
  const clock: Clock = { mono: () => now, wall: () => now, timer: () => ({ cancel: () => undefined }) }
  const breaker = new CircuitBreaker({ failures: 3, coolDownMs: 1_000 }, clock)
  return {
    breaker,
    advance: (ms: number) => (now += ms),
    fail: (times: number) => Array.from({ length: times }, () => breaker.failure()),
  }
}

describe('CircuitBreaker', () => {
  it('is closed until the failures in a row reach their number', () => {
    const { breaker, fail } = setUp()
    fail(2)
    expect([breaker.state, breaker.allow()]).toEqual(['closed', true])
    fail(1)
    expect([breaker.state, breaker.allow()]).toEqual(['open', false])
  })

  it('counts consecutive failures only', () => {
    const { breaker, fail } = setUp()
    fail(2)
    breaker.success()
    fail(2)
    expect(breaker.state).toBe('closed')
  })

  it('lets exactly one probe through after the cool-down', () => {
    const { breaker, advance, fail } = setUp()
    fail(3)
    advance(999)
    expect(breaker.allow()).toBe(false)
    advance(1)
    expect([breaker.allow(), breaker.allow(), breaker.allow()]).toEqual([true, false, false])
    expect(breaker.state).toBe('half-open')
  })

  it('closes when the probe goes well, with a fresh count', () => {
    const { breaker, advance, fail } = setUp()
    fail(3)
    advance(1_000)
    breaker.allow()
    breaker.success()
    fail(2)
    expect([breaker.state, breaker.allow()]).toEqual(['closed', true])
  })

  it('opens for a whole cool-down again when the probe fails', () => {
    const { breaker, advance, fail } = setUp()
    fail(3)
    advance(1_000)
    breaker.allow()
    breaker.failure()
    expect(breaker.state).toBe('open')
    advance(999)
    expect(breaker.allow()).toBe(false)
    advance(1)
    expect(breaker.allow()).toBe(true)
  })

  it('is not moved by late outcomes of calls from before it opened', () => {
    const { breaker, advance, fail } = setUp()
    fail(3)
    breaker.success()
    expect(breaker.state).toBe('open')
    advance(600)
    breaker.failure()
    advance(400)
    expect(breaker.allow()).toBe(true)
  })

  it('sends another probe when the outcome of the first was never reported', () => {
    const { breaker, advance, fail } = setUp()
    fail(3)
    advance(1_000)
    breaker.allow()
    advance(1_000)
    expect([breaker.allow(), breaker.allow()]).toEqual([true, false])
  })
})
