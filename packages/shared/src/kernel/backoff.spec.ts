import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backoff } from './backoff.js'
import type { RandomSource } from './random.js'

const always = (float: number): RandomSource => ({ float: () => float, int: () => 0, token: () => '' })
const HIGHEST = 1 - 2 ** -53

describe('Backoff', () => {
  it('doubles its bound at each attempt, up to the cap, for as long as it goes on', () => {
    const backoff = new Backoff({ baseMs: 100, capMs: 1_000 }, always(HIGHEST))
    expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1_000, 1_000])
    for (let i = 0; i < 5_000; i++) backoff.next()
    expect(backoff.next()).toBe(1_000)
  })

  it('begins anew after a success', () => {
    const backoff = new Backoff({ baseMs: 100, capMs: 1_000 }, always(HIGHEST))
    backoff.next()
    backoff.next()
    backoff.reset()
    expect(backoff.next()).toBe(100)
  })

  it('chooses from the whole range below its bound, and never waits for nothing', () => {
    expect(new Backoff({ baseMs: 100, capMs: 1_000 }, always(0)).next()).toBe(1)
    expect(new Backoff({ baseMs: 100, capMs: 1_000 }, always(0.5)).next()).toBe(51)
  })

  it('stays within 1 and the cap, in whole milliseconds', () => {
    const float = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.array(float, { minLength: 1 }),
        (baseMs, capMs, floats) => {
          let turn = 0
          const backoff = new Backoff({ baseMs, capMs }, { ...always(0), float: () => floats[turn++] as number })
          for (const _ of floats) {
            const wait = backoff.next()
            expect(Number.isInteger(wait) && wait >= 1 && wait <= capMs).toBe(true)
          }
        },
      ),
    )
  })
})
