import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashTagOf, slotOf } from '../redis/slot.js'
import { Keyspace } from '../redis/keyspace.js'
import { RateLimitIdentityError } from './errors.js'
import type { RateLimitIds, RateLimitRule } from './public-types.js'
import { compile, compileRule } from './rules.js'

const MINUTE: RateLimitRule = { limit: 10, window: '1m' }
const counterOf = (rule: Partial<RateLimitRule>, ids: RateLimitIds): { home: string; id: string } =>
  compileRule({ ...MINUTE, ...rule }).counter(ids)
const idOf = (rule: Partial<RateLimitRule>, ids: RateLimitIds): string => counterOf(rule, ids).id

describe('a rule', () => {
  it('is a token bucket by user, with its limit as its burst, named by what it counts and its window', () => {
    const rule = compileRule(MINUTE)
    expect(rule).toMatchObject({
      name: 'user-60000',
      windowMs: 60_000,
      cost: 1,
      onUnavailable: 'local',
      lease: undefined,
    })
    expect(rule.spec).toEqual({ algorithm: 'token-bucket', limit: 10, burst: 10, window: 60_000_000, tickUs: 1 })
  })

  it('counts in µs up to a minute, in ms up to a day, in seconds beyond, rounded up', () => {
    const ticks = (window: number | string): number[] => {
      const { window: length, tickUs } = compileRule({ limit: 1, window }).spec
      return [length, tickUs]
    }
    expect(ticks('0.5s')).toEqual([500_000, 1])
    expect(ticks(1)).toEqual([1_000, 1])
    expect(ticks('1m')).toEqual([60_000_000, 1])
    expect(ticks(60_001)).toEqual([60_001, 1_000])
    expect(ticks('1d')).toEqual([86_400_000, 1_000])
    expect(ticks(86_400_001)).toEqual([86_401, 1_000_000])
    expect(ticks('366d')).toEqual([366 * 86_400, 1_000_000])
  })

  it('of any size makes no product above 2^53', () => {
    const units = fc.integer({ min: 1, max: 100_000_000 })
    fc.assert(
      fc.property(units, units, fc.integer({ min: 1, max: 366 * 86_400_000 }), (limit, burst, windowMs) => {
        const { spec } = compileRule({ limit, burst, window: windowMs })
        expect(BigInt(spec.window) * BigInt(Math.max(spec.burst, spec.limit))).toBeLessThan(2n ** 53n)
        expect(spec.window * spec.tickUs).toBeGreaterThanOrEqual(windowMs * 1_000)
        expect(spec.window * spec.tickUs).toBeLessThan(windowMs * 1_000 + spec.tickUs)
      }),
    )
  })

  it('with a limit of 0 has no burst either', () => {
    expect(compileRule({ limit: 0, window: '1m', burst: 5 }).spec).toMatchObject({ limit: 0, burst: 0 })
  })

  it('for all tenants takes a hundredth of its limit in advance, at least 1, unless it says how many', () => {
    const lease = (limit: number, given?: number): number | undefined =>
      compileRule({ ...MINUTE, limit, scope: 'global', lease: given }).lease
    expect([lease(1_000), lease(250), lease(99), lease(0), lease(1_000, 3)]).toEqual([10, 2, 1, 1, 3])
  })

  it('is read once, and so is a list of rules', () => {
    const list = [MINUTE, { ...MINUTE, by: 'ip' }]
    expect(compile(list)).toBe(compile(list))
    expect(compile(list)[0]).toBe(compileRule(MINUTE))
    expect(compile([MINUTE])[0]).toBe(compileRule(MINUTE))
  })

  it.each<[object, string]>([
    [{ limit: -1 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ limit: Number.NaN }, 'limit'],
    [{ limit: 100_000_001 }, 'limit'],
    [{ limit: '10' }, 'limit'],
    [{ limit: undefined }, 'limit'],
    [{ window: 0 }, 'window'],
    [{ window: '1 fortnight' }, 'window'],
    [{ window: '367d' }, 'window'],
    [{ window: undefined }, 'window'],
    [{ algorithm: 'leaky' }, 'algorithm'],
    [{ algorithm: 'toString' }, 'algorithm'],
    [{ burst: 0 }, 'burst'],
    [{ burst: 5, algorithm: 'fixed-window' }, 'burst'],
    [{ cost: 0 }, 'cost'],
    [{ cost: 0.5 }, 'cost'],
    [{ by: '' }, 'by'],
    [{ by: 'api key' }, 'by'],
    [{ by: 7 }, 'by'],
    [{ name: '' }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ onUnavailable: 'ignore' }, 'onUnavailable'],
    [{ scope: 'all' }, 'scope'],
    [{ lease: 5 }, 'lease'],
    [{ lease: 0, scope: 'global' }, 'lease'],
    [{ limits: 5 }, 'limits'],
  ])('that says %j is refused, and told which option it is', (wrong, option) => {
    expect(() => compileRule({ ...MINUTE, ...wrong })).toThrow(option)
  })

  it('is one object, and a list holds 32 at most', () => {
    expect(() => compile([null as unknown as RateLimitRule])).toThrow('rules')
    expect(() => compile(MINUTE as unknown as RateLimitRule[])).toThrow('rules')
    const named = (length: number): RateLimitRule[] => Array.from({ length }, (_, i) => ({ ...MINUTE, name: `r${i}` }))
    expect(() => compile(named(33))).toThrow('rules')
    expect(compile(named(32))).toHaveLength(32)
  })

  it('has a name that no other of its list has, whomever they count', () => {
    expect(() => compile([MINUTE, { ...MINUTE }])).toThrow("named 'user-60000'")
    expect(() =>
      compile([
        { ...MINUTE, name: 'a' },
        { ...MINUTE, name: 'a', by: 'tenant', window: 1_000 },
      ]),
    ).toThrow("named 'a'")
  })
})

describe('whom a rule counts', () => {
  it('is the user, the tenant, the address, or any other id', () => {
    const ids = { user: 'u1', tenant: 't1', ip: '10.0.0.1', apiKey: 'k' }
    expect(idOf({}, ids)).toBe('{t1}:b60000:user-60000:user:u1')
    expect(idOf({ by: 'tenant', algorithm: 'sliding-window' }, ids)).toBe('{t1}:s60000:tenant-60000:tenant:t1')
    expect(idOf({ by: 'ip', algorithm: 'fixed-window', name: 'a:b' }, ids)).toBe('{t1}:f60000:a%3ab:ip:10.0.0.1')
    expect(idOf({ by: 'apiKey' }, ids)).toContain(':apiKey:k')
    expect(idOf({ by: ({ user, tenant }) => `${tenant}/${user}` }, ids)).toMatch(/:t1\/u1$/)
  })

  it('is the address when there is no such id; an empty one is none', () => {
    const address = idOf({}, { ip: '10.0.0.1' })
    expect(address).toBe('{*}:b60000:user-60000:ip:10.0.0.1')
    expect(idOf({}, { ip: '10.0.0.1', user: '' })).toBe(address)
    expect(idOf({ by: 'apiKey', name: 'user-60000' }, { ip: '10.0.0.1', user: 'u' })).toBe(address)
  })

  it('is told apart from an address by which its name is', () => {
    expect(idOf({}, { user: '10.0.0.1' })).not.toBe(idOf({}, { ip: '10.0.0.1' }))
  })

  it('must be known', () => {
    expect(() => counterOf({}, {})).toThrow(RateLimitIdentityError)
    expect(() => counterOf({ by: 'ip' }, { user: 'u' })).toThrow(/ids\.ip/)
    expect(() => counterOf({ by: 'apiKey' }, { user: 'u' })).toThrow(/ids\.apiKey/)
    expect(() => counterOf({ by: () => '' }, { ip: '1' })).toThrow(RateLimitIdentityError)
    expect(() => counterOf({ by: () => undefined as unknown as string }, { ip: '1' })).toThrow(RateLimitIdentityError)
  })

  it('of a function is told apart from an id that is called custom', () => {
    expect(idOf({ by: () => 'x' }, {})).not.toBe(idOf({ by: 'custom' }, { custom: 'x' }))
  })
})

/** What attackers, other alphabets and copy and paste make of an id. */
const anyId = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.string({
    unit: fc.constantFrom('{', '}', ':', '*', '#', '%', ' ', '\n', 'a', 'é', '\ud800'),
    minLength: 1,
    maxLength: 6,
  }),
  fc.string({ minLength: 120, maxLength: 300 }),
)
const anyName = fc.string({ unit: fc.constantFrom('{', '}', ':', '%', '-', 'a', '7'), minLength: 1, maxLength: 6 })
const keys = new Keyspace('vextrus:')

describe('the name of a counter', () => {
  const anyCounter = fc.record({
    rule: fc.record({
      name: anyName,
      by: fc.constantFrom('user', 'ip', 'apiKey'),
      scope: fc.constantFrom('tenant' as const, 'global' as const),
      algorithm: fc.constantFrom('token-bucket' as const, 'fixed-window' as const),
      window: fc.constantFrom(1_000, 60_000),
    }),
    tenant: fc.option(anyId, { nil: undefined }),
    id: anyId,
  })
  type Any = typeof anyCounter extends fc.Arbitrary<infer T> ? T : never
  const named = ({ rule, tenant, id }: Any) => counterOf(rule, { tenant, [rule.by]: id })

  it('is another for every other rule, tenant and id, whatever these are', () => {
    fc.assert(
      fc.property(anyCounter, anyCounter, (one, other) => {
        const part = ({ rule, tenant, id }: Any): unknown =>
          JSON.stringify([rule, rule.scope === 'global' ? null : (tenant ?? ''), id])
        expect(named(one).id === named(other).id).toBe(part(one) === part(other))
      }),
      { numRuns: 3_000 },
    )
  })

  it('is another for ids that differ by what separates its parts', () => {
    const ids = [
      'a',
      'a:',
      ':a',
      'user:a',
      '#a',
      '{a}',
      '*',
      'a}',
      'A',
      'é',
      'e\u0301',
      '\ud800',
      '\ud801',
      '\ufffd',
      'x'.repeat(128),
      'x'.repeat(129),
    ]
    const counters = ids.flatMap((id) => [
      ...ids.map((tenant) => idOf({}, { tenant, user: id })),
      idOf({ scope: 'global' }, { user: id }),
      idOf({}, { user: id }),
    ])
    expect(new Set(counters).size).toBe(ids.length * (ids.length + 2))
  })

  it('puts all counters of a tenant in one slot, and those of a rule for all tenants in one of its own', () => {
    fc.assert(
      fc.property(anyCounter, anyCounter, (one, other) => {
        const [{ home, id }, { home: otherHome, id: otherId }] = [named(one), named({ ...other, tenant: one.tenant })]
        expect(hashTagOf(keys.limits + id)).toBe(home)
        const global = one.rule.scope === 'global' || other.rule.scope === 'global'
        if (!global) expect([otherHome, slotOf(keys.limits + otherId)]).toEqual([home, slotOf(keys.limits + id)])
        else if (one.rule.scope !== other.rule.scope) expect(otherHome).not.toBe(home)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is plain text of bounded length, whatever comes from the network', () => {
    fc.assert(
      fc.property(anyCounter, (counter) => {
        const { id } = named(counter)
        expect(id).toMatch(/^[ -~]+$/)
        expect(id.length).toBeLessThan(400)
      }),
    )
  })
})
