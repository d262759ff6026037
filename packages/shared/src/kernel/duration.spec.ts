import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { durationToMs, ttlToMs } from './duration.js'
import { InvalidDurationError } from './errors.js'

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

describe('a TTL', () => {
  it('is seconds as a number', () => {
    expect(ttlToMs(300, 'ttl')).toBe(300_000)
    expect(ttlToMs(0.25, 'ttl')).toBe(250)
  })

  it('is rounded up to whole milliseconds, at least one, without counting what floating point added', () => {
    expect(ttlToMs(0.0015, 'ttl')).toBe(2)
    expect(ttlToMs(1e-12, 'ttl')).toBe(1)
    expect(2.007 * 1_000).toBeGreaterThan(2_007)
    expect(ttlToMs(2.007, 'ttl')).toBe(2_007)
    expect(ttlToMs('0.07d', 'ttl')).toBe(6_048_000)
  })

  it('may reach its maximum and not pass it', () => {
    expect(ttlToMs(60, 'ttl', 60_000)).toBe(60_000)
    expect(() => ttlToMs('61s', 'defaultTtl', 60_000)).toThrow(
      new InvalidDurationError("defaultTtl: '61s' is above the maximum of 60 s; shorten it or raise maxTtl"),
    )
    expect(() => ttlToMs(1e12, 'ttl')).toThrow(/above the maximum/)
  })
})

describe('a duration', () => {
  it('is milliseconds as a number, rounded up', () => {
    expect(durationToMs(500, 'commandTimeout')).toBe(500)
    expect(durationToMs(0.2, 'commandTimeout')).toBe(1)
  })

  it.each([
    ['250ms', 250],
    ['5s', 5_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1.5s', 1_500],
    ['  2 h ', 7_200_000],
    ['0.5ms', 1],
  ])('reads %j as %d ms, in a TTL too', (text, ms) => {
    expect(durationToMs(text, 'wait')).toBe(ms)
    expect(ttlToMs(text, 'ttl')).toBe(ms)
  })

  it('reads every number with every unit, again and again', () => {
    const unit = fc.constantFrom('ms', 's', 'm', 'h', 'd') as fc.Arbitrary<keyof typeof UNITS>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30_000 }), unit, (n, u) => {
        expect(durationToMs(`${n}${u}`, 'wait')).toBe(n * UNITS[u])
        expect(durationToMs(`${n} ${u}`, 'wait')).toBe(n * UNITS[u])
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('what is no duration', () => {
  const bad: unknown[] = [
    0,
    -1,
    NaN,
    Infinity,
    -Infinity,
    '0s',
    '-5s',
    '',
    ' ',
    's',
    '5',
    '300',
    '5 parsecs',
    '5S',
    '1e3s',
    '5s5s',
    '.',
    null,
  ]

  it.each([...bad, undefined, {}, [], true, 5n])('%s is refused by name', (value) => {
    const refused = expect.objectContaining({
      code: 'INVALID_DURATION',
      message: expect.stringMatching(/^lock\.wait: /),
    })
    expect(() => durationToMs(value as never, 'lock.wait')).toThrow(refused)
    expect(() => ttlToMs(value as never, 'lock.wait')).toThrow(refused)
  })

  it('is told what mends it, in the unit that a number has there', () => {
    expect(() => ttlToMs(-1, 'ttl')).toThrow(/-1 s is not a usable duration; give a number of seconds above 0/)
    expect(() => durationToMs(-1, 'window')).toThrow(
      /-1 ms is not a usable duration; give a number of milliseconds above 0/,
    )
  })

  it('is not repeated at length', () => {
    expect(() => ttlToMs('x'.repeat(5_000), 'ttl')).toThrow(/a text of 5000 characters/)
  })

  it('is refused in linear time', () => {
    const started = performance.now()
    expect(() => ttlToMs(' '.repeat(200_000) + '1', 'ttl')).toThrow(InvalidDurationError)
    expect(() => ttlToMs('1'.repeat(200_000) + 'x', 'ttl')).toThrow(InvalidDurationError)
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})
