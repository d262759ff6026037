import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import type { RateLimitIds, RateLimitRule } from './public-types.js'
import { RateLimiterService } from './rate-limiter.js'

const IDS: RateLimitIds = { tenant: 't', user: 'ann', ip: '192.0.2.1' }
const USER: RateLimitRule = { name: 'user', limit: 10, window: '10s' }
const TENANT: RateLimitRule = { name: 'tenant', limit: 3, window: '1m', by: 'tenant', algorithm: 'fixed-window' }

function limiter(options?: Parameters<LimitWorld['process']>[0]): RateLimiterService {
  return new LimitWorld().process(options).limiter
}

async function remaining(limits: RateLimiterService, rules: readonly RateLimitRule[], ids = IDS): Promise<number[]> {
  return (await limits.peek(rules, ids)).rules.map(({ remaining }) => remaining)
}

describe('several limits of a request', () => {
  it('are spent together', async () => {
    const limits = limiter()
    expect(await limits.consume([USER, TENANT], IDS, 2)).toEqual({
      allowed: true,
      rules: [
        { name: 'user', limit: 10, windowMs: 10_000, remaining: 8, retryAfterMs: 0, resetMs: 2_000, allowed: true },
        { name: 'tenant', limit: 3, windowMs: 60_000, remaining: 1, retryAfterMs: 0, resetMs: 60_000, allowed: true },
      ],
      source: 'redis',
      retryAfterMs: 0,
    })
  })

  it('or not at all: what one refuses spends nothing in the others', async () => {
    const limits = limiter()
    await limits.consume([USER, TENANT], IDS, 3)
    for (let i = 0; i < 20; i++) {
      expect(await limits.consume([USER, TENANT], IDS)).toMatchObject({ allowed: false, retryAfterMs: 60_000 })
      expect(await limits.consume([TENANT, USER], IDS)).toMatchObject({ allowed: false })
    }
    expect(await remaining(limits, [USER, TENANT])).toEqual([7, 0])
  })

  it('refuse what costs too much, and have spent nothing of it', async () => {
    const limits = limiter()
    expect(await limits.consume([USER], IDS, 11)).toMatchObject({ allowed: false, retryAfterMs: 10_000 })
    expect(await remaining(limits, [USER])).toEqual([10])
    await limits.consume([USER], IDS, 8)
    expect(await limits.consume([USER], IDS, 5)).toMatchObject({ allowed: false, retryAfterMs: 3_000 })
    expect(await remaining(limits, [USER])).toEqual([2])
  })

  it('each take their own cost', async () => {
    const limits = limiter()
    const costly = { ...USER, name: 'costly', cost: 3 }
    await limits.consume([USER, costly], IDS, 2)
    expect(await remaining(limits, [USER, costly])).toEqual([8, 4])
    expect(await limits.consume([USER, costly], IDS, 2)).toMatchObject({ allowed: false })
    expect(await remaining(limits, [USER, costly])).toEqual([8, 4])
  })

  it('of 0 refuse all, whatever they are by, however they count and wherever they are', async () => {
    const limits = limiter()
    for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
      for (const scope of ['tenant', 'global'] as const) {
        const none: RateLimitRule = { limit: 0, window: '1s', algorithm, scope, name: 'none' }
        for (const rules of [[none], [none, USER], [USER, none]]) {
          const { allowed, retryAfterMs } = await limits.consume(rules, IDS)
          expect(allowed).toBe(false)
          expect(retryAfterMs).toBeGreaterThan(0)
        }
      }
    }
    expect(await remaining(limits, [USER])).toEqual([10])
  })

  it('of none lets pass', async () => {
    expect(await limiter().consume([], IDS)).toEqual({ allowed: true, rules: [], source: 'redis', retryAfterMs: 0 })
  })

  it('of a tenant and of all tenants are one decision, whatever each says', async () => {
    const rule = fc.record({
      limit: fc.integer({ min: 0, max: 4 }),
      scope: fc.constantFrom('tenant' as const, 'global' as const),
      algorithm: fc.constantFrom('token-bucket' as const, 'sliding-window' as const, 'fixed-window' as const),
      cost: fc.integer({ min: 1, max: 2 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(rule, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 8 }),
        async (drawn, costs) => {
          const world = new LimitWorld()
          const { limiter: limits } = world.process({ denyCache: false })
          const rules = drawn.map((each, i): RateLimitRule => {
            const lease = each.scope === 'global' ? { lease: 1 } : {}
            return { ...each, ...lease, name: `r${i}`, window: '1h' }
          })
          const spent = rules.map(() => 0)
          for (const cost of costs) {
            // Within the hour almost nothing comes back.
            const fits = rules.map((each, i) => spent[i]! + cost * each.cost! <= each.limit)
            const { allowed, rules: said } = await limits.consume(rules, IDS, cost)
            expect(said.filter((each) => !each.allowed).map(({ name }) => name)).toEqual(
              rules.filter((_, i) => !fits[i]).map(({ name }) => name),
            )
            expect(allowed).toBe(!fits.includes(false))
            if (allowed) rules.forEach((each, i) => (spent[i]! += cost * each.cost!))
            await world.clock.settle()
          }
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('a look', () => {
  it('says what a request would be told, and spends nothing', async () => {
    const limits = limiter({ denyCache: false })
    await limits.consume([USER, TENANT], IDS, 2)
    for (const cost of [1, 2, 9]) {
      const looked = await limits.peek([USER, TENANT], IDS, cost)
      expect(await limits.peek([USER, TENANT], IDS, cost)).toEqual(looked)
      expect(looked.allowed).toBe(cost === 1)
    }
    expect(await remaining(limits, [USER, TENANT])).toEqual([8, 1])
  })

  it('answers rules of different homes in the order in which they were given', async () => {
    const limits = limiter()
    const global: RateLimitRule = { name: 'all', limit: 7, window: '1m', scope: 'global' }
    const { rules } = await limits.peek([TENANT, global, USER], IDS)
    expect(rules.map(({ name, remaining }) => [name, remaining])).toEqual([
      ['tenant', 3],
      ['all', 7],
      ['user', 10],
    ])
  })
})

describe('a refund and a reset', () => {
  it('give back what was spent, never more than is used', async () => {
    const limits = limiter()
    await limits.consume([USER, TENANT], IDS, 3)
    await limits.refund([USER, TENANT], IDS, 2)
    expect(await remaining(limits, [USER, TENANT])).toEqual([9, 2])
    await limits.refund([USER, TENANT], IDS, 100)
    expect(await remaining(limits, [USER, TENANT])).toEqual([10, 3])
  })

  it('reach limits of the tenant and of all tenants', async () => {
    const limits = limiter()
    const rules: RateLimitRule[] = [USER, { name: 'all', limit: 7, window: '1m', scope: 'global', lease: 1 }]
    await limits.consume(rules, IDS, 5)
    await limits.refund(rules, IDS, 2)
    expect(await remaining(limits, rules)).toEqual([7, 4])
    await limits.reset(rules, IDS)
    expect(await remaining(limits, rules)).toEqual([10, 7])
  })
})

describe('whom a rule is of', () => {
  it('is the user of the tenant, or else the address', async () => {
    const limits = limiter()
    const one: RateLimitRule = { name: 'one', limit: 1, window: '1m' }
    const passes = async (ids: RateLimitIds): Promise<boolean> => (await limits.consume([one], ids)).allowed
    for (const ids of [IDS, { ...IDS, tenant: 'other' }, { ...IDS, user: 'bob' }, { tenant: 't', ip: '192.0.2.1' }]) {
      expect(await passes(ids)).toBe(true)
      expect(await passes(ids)).toBe(false)
    }
  })

  it('must be known: without user and address a request can’t be told from others', async () => {
    for (const ids of [{}, { tenant: 't' }, { user: '' }, { user: undefined, ip: '' }]) {
      await expect(limiter().consume([USER], ids)).rejects.toMatchObject({ code: 'RATE_LIMIT_IDENTITY' })
    }
  })

  it('is not what all objects have, when its rule is by such a name', async () => {
    for (const by of ['constructor', 'toString', 'hasOwnProperty']) {
      const rule: RateLimitRule = { limit: 1, window: '1m', by }
      await expect(limiter().consume([rule], { user: 'u' })).rejects.toMatchObject({ code: 'RATE_LIMIT_IDENTITY' })
      expect(await limiter().consume([rule], { [by]: 'u' })).toMatchObject({ allowed: true })
    }
  })

  it('may be anything that a network brings', async () => {
    const odd = fc.oneof(
      fc.string({ minLength: 1, unit: fc.constantFrom(...'ab}{:%#*\n\0 é'.split(''), '\ud800', '\udc00') }),
      fc.constantFrom('\ud800', '\udfff\ud800', '}', '{', '{}', ':', 'a:b', '\n', '\0', '*', '#', '%7d', '__proto__'),
      fc.constantFrom(127, 128, 129, 100_000).map((length) => 'x'.repeat(length)),
    )
    const limits = limiter()
    const one: RateLimitRule = { name: 'one', limit: 1, window: '1h' }
    const known = new Set<string>()
    await fc.assert(
      fc.asyncProperty(odd, odd, async (tenant, user) => {
        const { allowed } = await limits.consume([one], { tenant, user })
        // Who comes for the first time passes: no two share a counter.
        const name = JSON.stringify([tenant, user])
        expect(allowed).toBe(!known.has(name))
        known.add(name)
      }),
      { numRuns: 200 },
    )
  })
})

describe('a call that can’t be', () => {
  it('is refused, and names what is wrong', async () => {
    const limits = limiter()
    const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
      promise.then(
        () => 'none',
        (error: { code: string; message: string }) => `${error.code} ${error.message.split(':', 1)[0]}`,
      )
    for (const cost of [0, -1, 1.5, NaN, Infinity, 100_000_001]) {
      expect(await codeOf(limits.consume([USER], IDS, cost))).toBe('CONFIGURATION cost')
      expect(await codeOf(limits.peek([USER], IDS, cost))).toBe('CONFIGURATION cost')
      expect(await codeOf(limits.refund([USER], IDS, cost))).toBe('CONFIGURATION cost')
    }
    expect(await codeOf(limits.consume([{ ...USER, cost: 100_000 }], IDS, 100_000))).toBe('CONFIGURATION cost')
    expect(await codeOf(limits.consume([USER, { ...USER }], IDS))).toBe('CONFIGURATION name')
    expect(await codeOf(limits.consume('rules' as never, IDS))).toBe('CONFIGURATION rules')
    expect(await codeOf(limits.consume([{ ...USER, window: 0 }], IDS))).toMatch(/^INVALID_DURATION/)
  })

  it('that fails for another reason than an outage is a defect, and is not decided without the store', async () => {
    const { limiter: limits, store } = new LimitWorld().process()
    store.next.take = [new TypeError('a defect')]
    await expect(limits.consume([USER], IDS)).rejects.toThrow('a defect')
  })
})
