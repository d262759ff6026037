import { describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.js'
import { LocalLimits, shareOf } from './local-limits.js'
import type { RateLimitRule } from './public-types.js'
import type { Ask } from './rate-limit-store.js'
import { compileRule } from './rules.js'

const FIXED = { window: '10s', algorithm: 'fixed-window' } as const

function askOf(rule: RateLimitRule, user = 'ann', cost = 1): Ask {
  const compiled = compileRule(rule)
  return { ...compiled.counter({ tenant: 't', user }), spec: compiled.spec, cost, most: cost }
}

describe('the share of one process', () => {
  it('is the part of the limit, rounded down, at least 1 and of nothing nothing', () => {
    const shares = [
      [10, 1],
      [10, 3],
      [10, 10],
      [10, 11],
      [1, 1_000],
      [0, 3],
    ] as const
    expect(shares.map(([units, instances]) => shareOf(units, instances))).toEqual([10, 3, 1, 1, 1, 0])
  })
})

describe('limits of one process', () => {
  it('are spent together or not at all, and not at all by a look', () => {
    const limits = new LocalLimits(new FakeClock())
    const [large, small] = [askOf({ ...FIXED, name: 'large', limit: 10 }), askOf({ ...FIXED, name: 'small', limit: 4 })]
    const remaining = (): number[] => limits.judge([large, small], 2, false).map(({ remaining }) => remaining)
    for (let i = 0; i < 2; i++)
      expect(limits.judge([large, small], 2, true).map(({ granted }) => granted)).toEqual([1, 1])
    expect(remaining()).toEqual([3, 0])
    expect(limits.judge([large, small], 2, true).map(({ granted }) => granted)).toEqual([1, 0])
    expect(remaining()).toEqual([3, 0])
  })

  it('follow the number of processes, with what was spent before', async () => {
    const clock = new FakeClock()
    const limits = new LocalLimits(clock)
    const ask = askOf({ ...FIXED, name: 'r', limit: 12 })
    for (let i = 0; i < 3; i++) limits.judge([ask], 4, true)
    expect(limits.judge([ask], 4, true)[0]).toMatchObject({ granted: 0, retryUs: 10_000_000 })
    expect(limits.judge([ask], 2, false)[0]).toMatchObject({ granted: 1, remaining: 3 })
    expect(limits.judge([ask], 12, false)[0]).toMatchObject({ granted: 0, remaining: 0 })
    await clock.advance(10_000)
    expect(limits.judge([ask], 4, false)[0]).toMatchObject({ remaining: 3 })
  })

  it('come back at the share of the rate', async () => {
    const clock = new FakeClock()
    const limits = new LocalLimits(clock)
    const ask = askOf({ name: 'bucket', limit: 10, window: '10s' })
    for (let i = 0; i < 5; i++) expect(limits.judge([ask], 2, true)[0]).toMatchObject({ granted: 1 })
    expect(limits.judge([ask], 2, true)[0]).toMatchObject({ granted: 0, retryUs: 2_000_000 })
    await clock.advance(2_000)
    expect(limits.judge([ask], 2, true)[0]).toMatchObject({ granted: 1 })
    expect(limits.judge([ask], 2, true)[0]).toMatchObject({ granted: 0 })
  })

  it('are those of 50,000 clients; who was away longest is forgotten first', () => {
    const limits = new LocalLimits(new FakeClock())
    const rule: RateLimitRule = { ...FIXED, name: 'one', limit: 1 }
    const passes = (user: string): boolean => limits.judge([askOf(rule, user)], 1, true)[0]!.granted > 0
    expect([passes('first'), passes('second'), passes('second')]).toEqual([true, true, false])
    for (let i = 0; i < 49_999; i++) passes(`u${i}`)
    expect([passes('second'), passes('first')]).toEqual([false, true])
  })
})
