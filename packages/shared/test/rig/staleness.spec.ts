import { describe, expect, it } from 'vitest'
import { sum } from './report.js'
import { stalenessOf } from './staleness.js'

describe('the staleness of many reads', () => {
  // As two processes tell it: names with a level and a greatest age in ms.
  const counts = sum([
    { 'age l1 fresh': 80, 'age l1 1.000': 5, 'max age l1': 0.97, rounds: 7 },
    { 'age l1 fresh': 10, 'age l1 1.000': 3, 'age l1 20.00': 2, 'max age l1': 19.5, 'age l2 fresh': 100 },
  ])

  it('is told of all reads and of those that were behind, by level', () => {
    const l1 = stalenessOf(counts, 'l1')
    expect(l1).toMatchObject({ reads: 100, stale: 10 })
    expect(l1.ofAll).toEqual({ p50: 0, p90: 0, p99: 19.5, max: 19.5 })
    expect(l1.ofStale).toEqual({ p50: 1, p90: 19.5, p99: 19.5, max: 19.5 })
    expect(l1.histogram.filter(({ count }) => count > 0)).toEqual([
      { upToMs: 1, count: 8 },
      { upToMs: 20, count: 2 },
    ])
  })

  it('adds up over the levels', () => {
    expect(stalenessOf(counts, undefined)).toMatchObject({ reads: 200, stale: 10, ofAll: { p90: 0, p99: 1 } })
    expect(stalenessOf(counts, 'l2')).toMatchObject({ reads: 100, stale: 0, ofAll: { max: 0 } })
  })
})
