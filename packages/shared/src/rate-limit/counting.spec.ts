import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  gapUs,
  limitHistories,
  type LimitHistory,
  limitMoves,
  limitSpecs,
  limitStarts,
  stepOf,
} from '../../test/support/limit-history.js'
import { type CounterState, Moment, UNUSED } from './counting.js'
import type { CounterReply, CounterSpec, RateLimitAlgorithm } from './rate-limit-store.js'
import { compileRule } from './rules.js'

const ALGORITHMS: readonly RateLimitAlgorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']
/** A Saturday in 2026, µs: the beginning of a minute, an hour and a day. */
const DAY_US = Date.UTC(2026, 10, 21) * 1_000
const SECOND_US = 1_000_000

/** A counter as a store keeps it. */
class Kept {
  state: CounterState = UNUSED

  constructor(
    public spec: CounterSpec,
    public nowUs = DAY_US,
  ) {}

  get moment(): Moment {
    return new Moment(this.spec, this.state, this.nowUs)
  }

  take(cost = 1, most = cost): CounterReply {
    const { moment } = this
    const granted = moment.grant(cost, most)
    if (granted > 0) this.state = moment.spend(granted)
    return moment.reply(granted, cost)
  }

  peek(cost = 1, most = cost): CounterReply {
    const { moment } = this
    return moment.reply(moment.grant(cost, most), cost)
  }

  refund(units = 1): void {
    this.state = this.moment.giveBack(units)
  }

  after(us: number): this {
    this.nowUs += us
    return this
  }
}

const kept = (rule: Parameters<typeof compileRule>[0]): Kept => new Kept(compileRule(rule).spec)
const passed = ({ granted }: CounterReply): boolean => granted > 0

describe.each(ALGORITHMS)('a %s', (algorithm) => {
  it('grants, refuses and dates as its definition says, to the µs and up to the largest numbers', () => {
    fc.assert(
      fc.property(limitHistories(algorithm), ({ spec, steps, replies }: LimitHistory) => {
        const counter = new Kept(spec)
        steps.forEach(({ does, nowUs, cost, most }, i) => {
          counter.nowUs = nowUs
          if (does === 'reset') counter.state = UNUSED
          else if (does === 'refund') counter.refund(cost)
          else expect(counter[does](cost, most), `step ${i}: ${does} ${cost} to ${most}`).toEqual(replies[i])
        })
      }),
      { numRuns: 400 },
    )
  })

  it('keeps its word also when its limit is changed and its clock goes back: after the time it said, and not a µs before, it passes', () => {
    const moves = fc.array(
      fc.record({ move: limitMoves, burst: fc.nat(), backUs: fc.option(fc.nat(100_000_000), { freq: 10 }) }),
      { minLength: 1, maxLength: 30 },
    )
    fc.assert(
      fc.property(limitSpecs(algorithm), limitSpecs(algorithm), limitStarts, moves, (one, two, startUs, all) => {
        const counter = new Kept(one, startUs + 100_000_000)
        let last: CounterReply = { granted: 0, remaining: 0, retryUs: 0, resetUs: 0 }
        let wentBack = false
        for (const { move, burst, backUs } of all) {
          // Of the same window: another is another counter.
          const { limit, burst: most } = burst % 2 === 0 ? one : two
          counter.spec = { ...one, limit, burst: most }
          const us = backUs === null ? gapUs(move.gap, counter.spec, last) : -Math.min(backUs, counter.nowUs)
          if (counter.nowUs + us > Number.MAX_SAFE_INTEGER / 2) continue
          counter.after(us)
          wentBack ||= backUs !== null
          const { does, cost, most: upTo } = stepOf(move, counter.spec, counter.nowUs)
          if (does === 'reset') counter.state = UNUSED
          else if (does === 'refund') counter.refund(cost)
          else {
            last = counter[does](cost, upTo)
            expectSane(last, counter.spec, cost)
            if (!wentBack) expectHonest(counter, last, cost)
          }
          if (algorithm !== 'token-bucket') expect(counter.state.used).toBeLessThanOrEqual(100_000_000)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('grants exactly its limit at one moment, by ones, by twos, and as many as there are', () => {
    for (const [cost, most] of [
      [1, 1],
      [2, 2],
      [1, 7],
    ] as const) {
      const counter = kept({ algorithm, limit: 10, window: '1m' })
      let granted = 0
      for (let reply = counter.take(cost, most); passed(reply); reply = counter.take(cost, most))
        granted += reply.granted
      expect(granted).toBe(10)
    }
  })

  it('lets nothing pass with a limit of 0, and says to come back after a window', () => {
    const counter = kept({ algorithm, limit: 0, window: 1_500 })
    expect(counter.take()).toEqual({ granted: 0, remaining: 0, retryUs: 1_500_000, resetUs: 0 })
    expect(counter.state).toEqual(UNUSED)
  })

  it('refuses what costs more than it can ever hold, and takes nothing for it', () => {
    const counter = kept({ algorithm, limit: 5, window: '10s' })
    expect(counter.take(6)).toEqual({ granted: 0, remaining: 5, retryUs: 10 * SECOND_US, resetUs: 0 })
    expect(counter.take(5)).toMatchObject({ granted: 5, remaining: 0 })
  })

  it('is never more than full, whatever is given back', () => {
    const counter = kept({ algorithm, limit: 5, window: '10s' })
    counter.refund(100)
    expect(counter.peek().remaining).toBe(5)
    counter.take(3)
    counter.refund(2)
    expect(counter.peek().remaining).toBe(4)
    counter.refund(100)
    expect(counter.peek()).toMatchObject({ remaining: 5, resetUs: 0 })
    expect(counter.take(5)).toMatchObject({ granted: 5, remaining: 0 })
    expect(passed(counter.take())).toBe(false)
  })

  it('is forgotten when its clock is set back by more than a window, and does not refuse until it is there again', () => {
    const counter = kept({ algorithm, limit: 5, window: '10s' }).after(3 * SECOND_US)
    counter.take(5)
    counter.after(-3_600 * SECOND_US)
    expect(counter.peek().remaining).toBe(5)
    expect(counter.take(5)).toMatchObject({ granted: 5, remaining: 0 })
    expect(passed(counter.take())).toBe(false)
  })

  it('never has more to give because its clock went back a little', () => {
    const counter = kept({ algorithm, limit: 5, window: '10s' }).after(3 * SECOND_US)
    counter.take(5)
    counter.after(-7 * SECOND_US)
    expect(counter.peek().remaining).toBe(0)
    expect(counter.peek().retryUs).toBeLessThanOrEqual(20 * SECOND_US)
    // At most two windows after what it was before.
    expect(counter.after((7 + 20) * SECOND_US).peek().remaining).toBe(5)
  })

  it('has as much as a new limit leaves, when its limit is another in the middle of a window', () => {
    const counter = kept({ algorithm, limit: 10, window: '10s' })
    counter.take(6)
    counter.spec = compileRule({ algorithm, limit: 4, window: '10s' }).spec
    expect(counter.take()).toMatchObject({ granted: 0, remaining: 0 })
    counter.spec = compileRule({ algorithm, limit: 20, window: '10s' }).spec
    expect(counter.take()).toMatchObject({ granted: 1, remaining: 13 })
  })
})

describe('a token bucket', () => {
  it('gives one unit back each window / limit, at the µs', () => {
    const counter = kept({ limit: 3, window: '1s' })
    expect(counter.take(3)).toEqual({ granted: 3, remaining: 0, retryUs: 0, resetUs: SECOND_US })
    expect(counter.take()).toEqual({ granted: 0, remaining: 0, retryUs: 333_334, resetUs: SECOND_US })
    expect(passed(counter.after(333_333).peek())).toBe(false)
    expect(passed(counter.after(1).take())).toBe(true)
    // A third of a µs was not lost: three units come back in a second, not in a second and a µs.
    expect(counter.after(SECOND_US - 333_334).take(2)).toMatchObject({ granted: 2, remaining: 0, resetUs: SECOND_US })
  })

  it('lets a burst pass, and its rate from then on', () => {
    const counter = kept({ limit: 10, window: '1s', burst: 100 })
    expect(counter.take(100)).toMatchObject({ granted: 100, resetUs: 10 * SECOND_US })
    expect(counter.take(10).retryUs).toBe(SECOND_US)
    expect(counter.after(SECOND_US).take(10)).toMatchObject({ granted: 10, remaining: 0 })
  })

  it('loses nothing over ten thousand refills of a third of a unit', () => {
    const counter = kept({ limit: 1_000, window: '3s' })
    counter.take(1_000)
    let granted = 0
    for (let i = 0; i < 10_000; i++) granted += counter.after(1_000).take(1, 1_000).granted
    expect(granted).toBe(3_333)
  })

  it('says 285 years where it would be longer, in numbers that a double holds', () => {
    const counter = kept({ limit: 1, window: '366d', burst: 100_000_000 })
    const { granted, resetUs } = counter.take(100_000_000)
    expect([granted, resetUs]).toEqual([100_000_000, 9e15])
    expect(counter.take(100_000_000).retryUs).toBe(9e15)
  })
})

describe('a sliding window', () => {
  it('counts the window before by the part of it that is less than a window ago', () => {
    const counter = kept({ algorithm: 'sliding-window', limit: 10, window: '10s' })
    counter.take(10)
    counter.after(10 * SECOND_US)
    expect(counter.take()).toEqual({ granted: 0, remaining: 0, retryUs: SECOND_US, resetUs: 10 * SECOND_US })
    expect(counter.after(2.5 * SECOND_US).peek().remaining).toBe(2)
    expect(counter.after(2.5 * SECOND_US).take(5)).toMatchObject({ granted: 5, remaining: 0, resetUs: 15 * SECOND_US })
  })

  it('refuses until the next window when what is refused can’t pass in this one', () => {
    const counter = kept({ algorithm: 'sliding-window', limit: 10, window: '10s' })
    counter.take(8)
    // 3 pass when at most 7 of the 8 count: an eighth of the window is past.
    expect(counter.after(4 * SECOND_US).take(3).retryUs).toBe((6 + 10 / 8) * SECOND_US)
  })

  it('gives back to this window first', () => {
    const counter = kept({ algorithm: 'sliding-window', limit: 10, window: '10s' })
    counter.take(6)
    counter.after(15 * SECOND_US).take(2)
    counter.refund(3)
    expect(counter.state).toMatchObject({ used: 0, before: 5 })
  })
})

describe('a fixed window', () => {
  it('begins with the first request and is whole again at its end, not before', () => {
    const counter = kept({ algorithm: 'fixed-window', limit: 2, window: '500ms' }).after(123_456)
    expect(counter.take(2)).toEqual({ granted: 2, remaining: 0, retryUs: 0, resetUs: 500_000 })
    expect(counter.after(499_999).take()).toEqual({ granted: 0, remaining: 0, retryUs: 1, resetUs: 1 })
    expect(counter.after(1).take(2)).toMatchObject({ granted: 2, resetUs: 500_000 })
  })

  it('begins anew with the next request when all was given back, as one that is forgotten does', () => {
    const counter = kept({ algorithm: 'fixed-window', limit: 2, window: '10s' })
    counter.take(2)
    counter.after(6 * SECOND_US).refund(2)
    expect(counter.after(1 * SECOND_US).take(1).resetUs).toBe(10 * SECOND_US)
  })
})

function expectSane(
  { granted, remaining, retryUs, resetUs }: CounterReply,
  { burst }: CounterSpec,
  cost: number,
): void {
  for (const number of [granted, remaining, retryUs, resetUs])
    expect(Number.isSafeInteger(number) && number >= 0).toBe(true)
  expect(granted === 0 || granted >= cost).toBe(true)
  expect(granted + remaining).toBeLessThanOrEqual(burst * (granted > 0 ? 2 : 1))
  expect(retryUs > 0).toBe(granted === 0)
}

function expectHonest({ spec, state, nowUs }: Kept, { granted, retryUs, resetUs }: CounterReply, cost: number): void {
  const at = (us: number): Kept => Object.assign(new Kept(spec, nowUs + us), { state })
  if (resetUs < 2 ** 52 && spec.limit > 0) expect(at(resetUs).peek().remaining).toBe(spec.burst)
  if (granted > 0 || cost > spec.burst || retryUs > 2 ** 52) return
  expect(at(retryUs).peek(cost).granted).toBe(cost)
  expect(at(retryUs - 1).peek(cost).granted).toBe(0)
}
