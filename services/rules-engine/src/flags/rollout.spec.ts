import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluated, type Rollout } from './rollout.js'

const flag = (changes: Partial<Rollout> = {}): Rollout => ({
  key: 'new-checkout',
  enabled: true,
  rollout: 100,
  variants: [],
  allowList: [],
  ...changes,
})
const users = Array.from({ length: 5_000 }, (_, id) => `user-${id}`)
const count = (rollout: Rollout) => users.filter((user) => evaluated(rollout, user).enabled).length

describe('a flag', () => {
  it('that is off is off for everybody, those on the list included', () => {
    expect(evaluated(flag({ enabled: false, allowList: ['user-1'] }), 'user-1')).toEqual({
      key: 'new-checkout',
      subject: 'user-1',
      enabled: false,
      reason: 'off',
      variant: null,
    })
  })

  it('is on for those on the list, wherever the roll-out stands', () => {
    const zero = flag({ rollout: 0, allowList: ['user-1'] })
    expect(evaluated(zero, 'user-1')).toMatchObject({ enabled: true, reason: 'allow-list' })
    expect(evaluated(zero, 'user-2')).toMatchObject({ enabled: false, reason: 'rollout' })
  })

  it('is on for nobody at 0 percent and for everybody at 100', () => {
    expect(count(flag({ rollout: 0 }))).toBe(0)
    expect(count(flag({ rollout: 100 }))).toBe(users.length)
  })

  it.each([0.5, 10, 33.33, 75])('is on for %d percent of the subjects', (rollout) => {
    // Five standard deviations of a fair choice.
    const share = rollout / 100
    const spread = 5 * Math.sqrt(users.length * share * (1 - share))
    expect(Math.abs(count(flag({ rollout })) - users.length * share)).toBeLessThan(spread)
  })

  it('stays on for a subject when the percentage grows', () => {
    const percent = fc.integer({ min: 0, max: 10_000 }).map((steps) => steps / 100)
    fc.assert(
      fc.property(fc.string(), percent, percent, (subject, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)]
        if (!evaluated(flag({ rollout: less }), subject).enabled) return
        expect(evaluated(flag({ rollout: more }), subject).enabled).toBe(true)
      }),
    )
  })

  it('chooses the same subjects for ever: these, of the first ten', () => {
    const on = users.slice(0, 10).filter((user) => evaluated(flag({ rollout: 50 }), user).enabled)
    expect(on).toMatchInlineSnapshot(`
      [
        "user-1",
        "user-5",
        "user-7",
        "user-8",
      ]
    `)
  })

  it('chooses independently of other flags', () => {
    const both = users.filter(
      (user) =>
        evaluated(flag({ rollout: 50 }), user).enabled && evaluated(flag({ key: 'other', rollout: 50 }), user).enabled,
    )
    expect(both.length / users.length).toBeCloseTo(0.25, 1)
  })
})

describe('variants', () => {
  const variants = [
    { name: 'control', weight: 3 },
    { name: 'blue', weight: 1 },
  ]

  it('share the subjects by their weights, also within a small roll-out', () => {
    for (const rollout of [100, 20]) {
      const on = users.map((user) => evaluated(flag({ rollout, variants }), user)).filter(({ enabled }) => enabled)
      const blue = on.filter(({ variant }) => variant === 'blue').length
      expect(blue / on.length).toBeCloseTo(0.25, 1)
      expect(on.every(({ variant }) => variant !== null)).toBe(true)
    }
  })

  it('a subject keeps its variant when the percentage changes', () => {
    const variantsAt = (rollout: number) => users.map((user) => evaluated(flag({ rollout, variants }), user).variant)
    const [some, most] = [variantsAt(30), variantsAt(90)]
    expect(some.filter((variant, at) => variant !== null && variant !== most[at])).toEqual([])
  })
})
