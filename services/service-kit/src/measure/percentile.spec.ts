import { describe, expect, it } from 'vitest'
import { percentile } from './percentile.js'

describe('a percentile', () => {
  it('is the smallest value that the share of the values does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(percentile(hundred, 50)).toBe(50)
    expect(percentile(hundred, 99)).toBe(99)
    expect(percentile([3], 99)).toBe(3)
    expect(percentile([1, 2], 50)).toBe(1)
  })

  it('leaves the values as they were', () => {
    const values = [2, 1]
    percentile(values, 50)
    expect(values).toEqual([2, 1])
  })

  it('of nothing is refused', () => {
    expect(() => percentile([], 50)).toThrowError(RangeError)
  })
})
