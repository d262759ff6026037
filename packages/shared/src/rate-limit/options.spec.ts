import { describe, expect, it } from 'vitest'
import { RATE_LIMITER_OPTIONS, type RateLimiterOptions, resolveRateLimiterOptions } from './options.js'

describe('the options of limits', () => {
  it('have defaults', () => {
    expect(resolveRateLimiterOptions()).toEqual({
      timeoutMs: 80,
      instances: undefined,
      denials: 50_000,
      plan: undefined,
      planTtlMs: 60_000,
    })
    const unset = Object.fromEntries(RATE_LIMITER_OPTIONS.map((name) => [name, undefined]))
    expect(resolveRateLimiterOptions(unset)).toEqual(resolveRateLimiterOptions({}))
  })

  it('are read once, and don’t change', () => {
    const resolved = resolveRateLimiterOptions({
      timeout: '1s',
      instances: 3,
      denyCache: { maxEntries: 7 },
      planTtl: 5,
    })
    expect(resolved).toMatchObject({ timeoutMs: 1_000, instances: 3, denials: 7, planTtlMs: 5 })
    expect(Object.isFrozen(resolved)).toBe(true)
    expect(resolveRateLimiterOptions({ denyCache: false }).denials).toBe(0)
    expect(resolveRateLimiterOptions({ denyCache: {} }).denials).toBe(50_000)
  })

  it('that can’t be are refused by their name', () => {
    const refused: [RateLimiterOptions, string][] = [
      ...[0, -1, 1.5, NaN, Infinity, 10_000_001].flatMap((count): [RateLimiterOptions, string][] => [
        [{ instances: count }, 'rateLimit.instances'],
        [{ denyCache: { maxEntries: count } }, 'rateLimit.denyCache.maxEntries'],
      ]),
      ...[0, -1, NaN, 'soon'].flatMap((time): [RateLimiterOptions, string][] => [
        [{ timeout: time }, 'rateLimit.timeout'],
        [{ planTtl: time }, 'rateLimit.planTtl'],
      ]),
      [{ plan: 'gold' as never }, 'rateLimit.plan'],
      [{ denyCache: true as never }, 'rateLimit.denyCache'],
      [{ denyCache: null as never }, 'rateLimit.denyCache'],
    ]
    for (const [options, name] of refused) expect(() => resolveRateLimiterOptions(options)).toThrow(name)
  })
})
