import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RateLimitRuleResult } from '../public-types.js'
import { itemName, limitField, policyField, policyName } from './rate-limit-headers.js'

function resultOf(name: string, of: Partial<RateLimitRuleResult> = {}): RateLimitRuleResult {
  return { name, limit: 100, windowMs: 60_000, remaining: 50, retryAfterMs: 0, resetMs: 30_000, allowed: true, ...of }
}

const itemsOf = (...names: string[]) => new Map(names.map((name) => [name, { item: itemName(name) }]))

describe('the fields of limits', () => {
  it('say what is allowed and what is left, in whole seconds, rounded up', () => {
    const rules = [resultOf('a'), resultOf('b', { remaining: 0, resetMs: 1, limit: 0, windowMs: 1_001 })]
    const items = itemsOf('a', 'b')
    expect(policyField(rules, items)).toBe('"a";q=100;w=60, "b";q=0;w=2')
    expect(limitField(rules, items)).toBe('"a";r=50;t=30, "b";r=0;t=1')
    expect(limitField([resultOf('a', { resetMs: 0 })], items)).toBe('"a";r=50;t=0')
  })

  it('say of a rule that refuses when it would let the request pass, not when all is there', () => {
    const refused = resultOf('a', { allowed: false, remaining: 3, retryAfterMs: 2_001 })
    expect(limitField([refused], itemsOf('a'))).toBe('"a";r=3;t=3')
  })

  it('are strings of Structured Fields, whatever a rule is named, and different for different names', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom('"', '\\', ' ', 'a', '%', 'é'), minLength: 1 }),
      fc.string({ unit: 'binary', minLength: 1 }).filter((name) => !/[\p{Cc}\p{Cs}]/u.test(name)),
    )
    fc.assert(
      fc.property(fc.uniqueArray(text, { minLength: 2, maxLength: 2 }), (names) => {
        const [one, other] = names.map((name) => {
          const item = limitField([resultOf(name, { remaining: 1 })], itemsOf(name))
          // RFC 9651, 3.3.3: printable ASCII between quotes, with quotes and backslashes escaped.
          expect(item).toMatch(/^"(?:[ !#-[\]-~]|\\["\\])*";r=1;t=30$/)
          const value = item.slice(1, item.lastIndexOf('"')).replace(/\\(["\\])/g, '$1')
          expect(value).toBe(policyName(name))
          return value
        })
        // One that is written with signs of percent-encoding is another name, and looks it up to that.
        if (!names.some((name) => name.includes('%'))) expect(one).not.toBe(other)
      }),
    )
  })
})
