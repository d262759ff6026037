import { describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../../kernel/errors.js'
import { RATE_LIMIT_GUARD_OPTIONS, RateLimitGuardSettings, resolveGuardOptions } from './guard-options.js'

describe('options of the guard', () => {
  it('have defaults', () => {
    const { isShadow, ...rest } = resolveGuardOptions()
    expect(rest).toEqual({
      rules: [],
      identity: undefined,
      headers: true,
      ipv6Prefix: 64,
      errorMessage: 'Too many requests. Try again later.',
      skip: undefined,
    })
    expect(isShadow('any')).toBe(false)
    expect(resolveGuardOptions(Object.fromEntries(RATE_LIMIT_GUARD_OPTIONS.map((name) => [name, undefined])))).toEqual(
      expect.objectContaining(rest),
    )
  })

  it('name the rules that have no name', () => {
    const rule = { limit: 1, window: 1 }
    const { rules } = resolveGuardOptions({ rules: [rule, { ...rule, name: 'own' }, rule] })
    expect(rules.map(({ name }) => name)).toEqual(['all-routes', 'own', 'all-routes#2'])
    expect(rule).toEqual({ limit: 1, window: 1 })
  })

  it('shadow all rules, none, or some', () => {
    const names = ['a', 'b']
    expect(names.map(resolveGuardOptions({ shadow: true }).isShadow)).toEqual([true, true])
    expect(names.map((name) => resolveGuardOptions({ shadow: (rule) => rule === 'b' }).isShadow(name))).toEqual([
      ...[false, true],
    ])
  })

  it.each<[string, object, string]>([
    ['rules that are no list', { rules: {} }, 'rateLimit.rules: must be a list'],
    ['a rule without a limit', { rules: [{ window: 1 }] }, 'rateLimit.rules[0].limit'],
    ['a rule that is none', { rules: [{ limit: 1, window: 1 }, null] }, 'rateLimit.rules[1]: needs a rule'],
    ['two of one name', { rules: [0, 1].map(() => ({ limit: 1, window: 1, name: 'a' })) }, 'rateLimit.rules[1].name'],
    ['an identity that is none', { identity: {} }, 'rateLimit.identity'],
    ['a shadow that is none', { shadow: 'yes' }, 'rateLimit.shadow'],
    ['headers that are none', { headers: 1 }, 'rateLimit.headers'],
    ['no bits', { ipv6Prefix: 0 }, 'rateLimit.ipv6Prefix'],
    ['too many bits', { ipv6Prefix: 129 }, 'rateLimit.ipv6Prefix'],
    ['an empty message', { errorMessage: '' }, 'rateLimit.errorMessage'],
    ['a skip that is none', { skip: true }, 'rateLimit.skip'],
  ])('refuse %s', (_, options, message) => {
    const resolve = (): unknown => new RateLimitGuardSettings(options as never)
    expect(resolve).toThrow(ConfigurationError)
    expect(resolve).toThrow(message)
  })

  it('refuse a window that is none', () => {
    const resolve = (): unknown => resolveGuardOptions({ rules: [{ limit: 1, window: 'soon' }] })
    expect(resolve).toThrow(InvalidDurationError)
    expect(resolve).toThrow('rateLimit.rules[0].window')
  })

  it('say each news once', () => {
    const settings = new RateLimitGuardSettings()
    expect([settings.isNews('a'), settings.isNews('b'), settings.isNews('a')]).toEqual([true, true, false])
    expect(settings.currentTenant()).toBeUndefined()
  })
})
