import { beforeEach, describe, expect, it } from 'vitest'
import { InvalidDurationError } from '../kernel/errors.js'
import { resolveCacheOptions } from './options.js'
import { TtlPolicy } from './ttl-policy.js'

let warnings: string[]
let ttls: TtlPolicy

beforeEach(() => {
  warnings = []
  ttls = new TtlPolicy(resolveCacheOptions({ maxTtl: '400d', cacheNull: 7 }), (message) => warnings.push(message))
})

describe('a lifetime', () => {
  it('is the default when the call names none', () => {
    expect(ttls.ofCall('k', undefined)).toBe(300_000)
    expect(ttls.ofLoad('k', undefined)).toBe(300_000)
  })

  it('is in milliseconds from seconds or a text', () => {
    expect([ttls.ofCall('k', 1.5), ttls.ofCall('k', '2m'), ttls.ofLoad('k', 3)]).toEqual([1_500, 120_000, 3_000])
  })

  it('of a load may come from its value, and is checked then', () => {
    const ttl = ttls.ofLoad('k', (value: number) => value)
    expect((ttl as (value: number) => number)(5)).toBe(5_000)
    expect(() => (ttl as (value: number) => number)(-5)).toThrow(InvalidDurationError)
  })

  it('of a null is the option’s, the call’s, or none', () => {
    expect([ttls.ofNull(undefined), ttls.ofNull('2s'), ttls.ofNull(false)]).toEqual([7_000, 2_000, null])
    expect(() => ttls.ofNull(0)).toThrow('cacheNull')
  })
})

describe('a number that was meant as milliseconds', () => {
  it('is pointed out once a group, from a day on', () => {
    ttls.ofCall('product:1', 86_400)
    expect(warnings).toEqual([])
    ttls.ofCall('product:1', 86_401)
    ttls.ofCall('product:2', 300_000)
    ttls.ofLoad('order:1', 300_000)
    expect(warnings).toHaveLength(2)
    expect(warnings[1]).toBe(
      "a TTL of 300000 s for 'order' is 83 h; milliseconds? write '300000ms' (seconds: '300000s')",
    )
  })

  it('is not guessed where the unit was written', () => {
    ttls.ofCall('product:1', '300000s')
    ttls.ofCall('product:1', '90d')
    expect(warnings).toEqual([])
  })

  it('is pointed out for 200 groups at most', () => {
    for (let i = 0; i < 300; i++) ttls.ofCall(`group${i}`, 100_000)
    expect(warnings).toHaveLength(200)
  })
})
