import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.js'
import { RefreshPauses } from './refresh-pauses.js'

const entry = { g: 'g1', s: 1, softAt: 1_000 }
/** The longest that a backoff draws. */
const longest = { float: () => 0.999_999, int: () => 0, token: () => 'token' }

function pauses(mostKeys?: number): { pauses: RefreshPauses; clock: ManualClock } {
  const clock = new ManualClock()
  return { pauses: new RefreshPauses(clock, longest, mostKeys), clock }
}

describe('the pause after a failed refresh', () => {
  it('is a second, doubles with each failure, and ends at half a minute', async () => {
    const { pauses: after, clock } = pauses()
    expect(after.has('k', entry)).toBe(false)
    for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      after.failed('k', entry)
      await clock.advance(ms - 1)
      expect(after.has('k', entry), `${ms} ms`).toBe(true)
      await clock.advance(1)
      expect(after.has('k', entry), `${ms} ms`).toBe(false)
    }
  })

  it('is drawn at random below that, so that processes don’t come back together', () => {
    const clock = new ManualClock()
    const after = new RefreshPauses(clock, { ...longest, float: () => 0 })
    after.failed('k', entry)
    clock.jump(1)
    expect(after.has('k', entry)).toBe(false)
  })

  it('is of one key, and ends when a load succeeds: the next failure is a first one', () => {
    const { pauses: after, clock } = pauses()
    after.failed('k', entry)
    after.failed('k', entry)
    expect(after.has('other', entry)).toBe(false)
    after.forget('k')
    expect([after.has('k', entry), after.size]).toEqual([false, 0])
    after.failed('k', entry)
    clock.jump(1_000)
    expect(after.has('k', entry)).toBe(false)
  })

  it.each([
    ['time', { ...entry, softAt: 2_000 }],
    ['sequence', { ...entry, s: 2 }],
    ['generation', { ...entry, g: 'g2' }],
  ])('is about one entry: one of another %s that took its place has none, and its failures count anew', (_, next) => {
    const { pauses: after, clock } = pauses()
    after.failed('k', entry)
    after.failed('k', entry)
    expect(after.has('k', next)).toBe(false)
    after.failed('k', next)
    expect(after.has('k', next)).toBe(true)
    clock.jump(1_000)
    expect(after.has('k', next)).toBe(false)
  })

  it('is remembered for so many keys and no more: the one that failed longest ago is forgotten', () => {
    const { pauses: after } = pauses(3)
    for (const key of ['a', 'b', 'c', 'a', 'd']) after.failed(key, entry)
    expect(after.size).toBe(3)
    expect(['a', 'b', 'c', 'd'].map((key) => after.has(key, entry))).toEqual([true, false, true, true])
  })
})
