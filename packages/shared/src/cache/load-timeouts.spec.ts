import { describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { type LoadTimeout, resolveLoadTimeout } from './load-timeouts.js'

describe('loadTimeout', () => {
  it('is 30 seconds, and a stale value is answered at once', () => {
    for (const given of [undefined, {}, { soft: undefined, hard: undefined }]) {
      expect(resolveLoadTimeout(given)).toEqual({ softMs: null, hardMs: 30_000 })
    }
  })

  it('of a call is over that of the module, field by field', () => {
    const ofModule = resolveLoadTimeout({ soft: '200ms', hard: 5_000 })
    expect(ofModule).toEqual({ softMs: 200, hardMs: 5_000 })
    expect(resolveLoadTimeout({ soft: '1s' }, ofModule)).toEqual({ softMs: 1_000, hardMs: 5_000 })
    expect(resolveLoadTimeout({ hard: '1m' }, ofModule)).toEqual({ softMs: 200, hardMs: 60_000 })
    expect(resolveLoadTimeout(undefined, ofModule)).toBe(ofModule)
  })

  it.each([[{ soft: '1s', hard: '1s' }], [{ soft: '2s', hard: '1s' }], [{ soft: '30s' }], [{ soft: 29_999.5 }]])(
    'is refused by name where soft is not shorter than hard: %o',
    (given) => {
      expect(() => resolveLoadTimeout(given)).toThrow(ConfigurationError)
      expect(() => resolveLoadTimeout(given)).toThrow(
        /^loadTimeout\.soft: \d+ ms must be shorter than loadTimeout\.hard/,
      )
    },
  )

  it('of a call is held against what it leaves to the module', () => {
    const ofModule = resolveLoadTimeout({ soft: '2s' })
    expect(() => resolveLoadTimeout({ hard: '1s' }, ofModule)).toThrow(
      'loadTimeout.soft: 2000 ms must be shorter than loadTimeout.hard, which is 1000 ms',
    )
  })

  it.each([
    ['loadTimeout.soft', { soft: 0 }],
    ['loadTimeout.soft', { soft: 'soon' }],
    ['loadTimeout.hard', { hard: -1 }],
    ['loadTimeout.hard', { hard: Infinity }],
  ])('that is no duration is refused by name: %s %o', (option, given) => {
    expect(() => resolveLoadTimeout(given)).toThrow(InvalidDurationError)
    expect(() => resolveLoadTimeout(given)).toThrow(option)
  })

  it.each([500, '1s', null, true])('that is no object is refused: %s', (given) => {
    expect(() => resolveLoadTimeout(given as LoadTimeout)).toThrow(/^loadTimeout: must be an object/)
  })
})
