import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isHigher, versionText } from './version.js'

describe('the text of a version', () => {
  it.each<[number | bigint | Date, string]>([
    [0, '0'],
    [-0, '0'],
    [17, '17'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [10n ** 40n - 1n, '9'.repeat(40)],
    [new Date(1_793_000_000_123), '1793000000123'],
    [new Date(0), '0'],
  ])('of %s', (version, text) => {
    expect(versionText(version)).toBe(text)
  })

  it('is ordered as its number by length, then as a string', () => {
    const version = fc.bigInt({ min: 0n, max: 10n ** 40n - 1n })
    fc.assert(
      fc.property(version, version, (a, b) => {
        const [x, y] = [versionText(a), versionText(b)]
        expect(x.length === y.length ? x < y : x.length < y.length).toBe(a < b)
        expect(isHigher(x, y)).toBe(a > b)
      }),
    )
  })

  it.each<[unknown]>([
    [-1],
    [-1n],
    [1.5],
    [NaN],
    [Infinity],
    [2 ** 53],
    [10n ** 40n],
    [new Date(NaN)],
    [new Date(-1)],
    ['17'],
    [null],
    [undefined],
  ])('is refused by the name of the option: %s', (version) => {
    expect(() => versionText(version as number)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', option: 'version' }),
    )
  })
})
