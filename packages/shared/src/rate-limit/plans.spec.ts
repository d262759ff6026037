import { describe, expect, it } from 'vitest'
import { type LimitProcess, LimitWorld } from '../../test/support/limit-world.js'
import type { RateLimitPlan, RateLimiterOptions } from './options.js'
import type { RateLimitResult, RateLimitRule } from './public-types.js'

const RULES: readonly RateLimitRule[] = [
  { name: 'requests', limit: 10, window: '1m' },
  { name: 'exports', limit: 2, window: '1m', burst: 1, cost: 1 },
]

/** Plans that a test answers when it likes, or changes. */
class Plans {
  asked = 0
  plan: RateLimitPlan | undefined
  /** What comes in its place. */
  answer: (() => Promise<RateLimitPlan | undefined>) | undefined

  readonly of = (): RateLimitPlan | undefined | Promise<RateLimitPlan | undefined> => {
    this.asked++
    return this.answer === undefined ? this.plan : this.answer()
  }
}

interface SetUp {
  readonly world: LimitWorld
  readonly plans: Plans
  readonly process: LimitProcess
  /** The limits as they are for a tenant, by name of rule. */
  limits(tenant?: string): Promise<Record<string, number>>
}

async function setUp(options: RateLimiterOptions = {}): Promise<SetUp> {
  const [world, plans] = [new LimitWorld(), new Plans()]
  const process = await world.listening({ plan: plans.of, ...options })
  const limits = async (tenant = 't'): Promise<Record<string, number>> =>
    of(await process.limiter.peek(RULES, { tenant, user: 'u' }))
  return { world, plans, process, limits }
}

function of({ rules }: RateLimitResult): Record<string, number> {
  return Object.fromEntries(rules.map(({ name, limit }) => [name, limit]))
}

describe('the plan of a tenant', () => {
  it('says what is another in its rules; without one they are as written', async () => {
    const { plans, limits } = await setUp()
    expect(await limits('a')).toEqual({ requests: 10, exports: 2 })
    plans.plan = { requests: { limit: 50 } }
    expect(await limits('b')).toEqual({ requests: 50, exports: 2 })
    plans.plan = { exports: false, '*': { limit: 7 } }
    expect(await limits('c')).toEqual({ requests: 7 })
  })

  it('has no burst of another limit, unless it says one', async () => {
    const { plans, process } = await setUp()
    const remaining = async (tenant: string): Promise<number> =>
      (await process.limiter.peek([RULES[1]!], { tenant, user: 'u' })).rules[0]!.remaining
    plans.plan = { exports: { window: '2m' } }
    expect(await remaining('a')).toBe(1)
    plans.plan = { exports: { limit: 9 } }
    expect(await remaining('b')).toBe(9)
    plans.plan = { exports: { limit: 9, burst: 4 } }
    expect(await remaining('c')).toBe(4)
  })

  it('is asked for once, and again after its time, while the old one counts', async () => {
    const { world, plans, limits } = await setUp({ planTtl: '10s' })
    plans.plan = { requests: { limit: 50 } }
    for (let i = 0; i < 5; i++) expect(await limits()).toMatchObject({ requests: 50 })
    expect(plans.asked).toBe(1)
    await world.clock.advance(10_000)
    let answer: (plan: RateLimitPlan) => void = () => undefined
    plans.answer = () => new Promise((resolve) => (answer = resolve))
    for (let i = 0; i < 5; i++) expect(await limits()).toMatchObject({ requests: 50 })
    expect(plans.asked).toBe(2)
    answer({ requests: { limit: 60 } })
    await world.clock.settle()
    expect(await limits()).toMatchObject({ requests: 60 })
  })

  it('is asked for once by all who come before it is there', async () => {
    const { plans, limits } = await setUp()
    plans.plan = { requests: { limit: 50 } }
    await Promise.all(Array.from({ length: 20 }, () => limits()))
    expect(plans.asked).toBe(1)
  })

  it('that takes too long is waited for by those who came first, once; when it is there, it counts', async () => {
    const { world, plans, limits } = await setUp({ timeout: 80 })
    let answer: (plan: RateLimitPlan) => void = () => undefined
    plans.answer = () => new Promise((resolve) => (answer = resolve))
    let first: Record<string, number> | undefined
    void limits().then((found) => (first = found))
    // Half of the time: the other half is the store's.
    await world.clock.advance(39)
    expect(first).toBeUndefined()
    await world.clock.advance(1)
    expect(first).toEqual({ requests: 10, exports: 2 })
    // At once: no time passes.
    expect(await limits()).toEqual({ requests: 10, exports: 2 })
    expect(plans.asked).toBe(1)
    answer({ requests: { limit: 50 } })
    await world.clock.settle()
    expect(await limits()).toMatchObject({ requests: 50 })
  })

  it('that can’t be had leaves the one before, or the rules as written, and is asked for again a second later', async () => {
    const { world, plans, process, limits } = await setUp({ planTtl: '1h' })
    const away = async (): Promise<never> => Promise.reject(new Error('no database'))
    plans.answer = away
    for (let i = 0; i < 3; i++) expect(await limits()).toEqual({ requests: 10, exports: 2 })
    expect(plans.asked).toBe(1)
    expect(process.warnings).toEqual(["the plan of a tenant can't be had, and its limits are as before: no database"])
    await world.clock.advance(1_000)
    plans.answer = undefined
    plans.plan = { requests: { limit: 50 } }
    expect(await limits()).toMatchObject({ requests: 50 })
    await world.clock.advance(3_600_000)
    plans.answer = away
    for (let i = 0; i < 3; i++) expect(await limits()).toMatchObject({ requests: 50 })
    expect(process.warnings).toHaveLength(1)
  })

  it('that is never answered is one that can’t be had, after 10 s; what it answers then is not heard', async () => {
    const { world, plans, process, limits } = await setUp({ planTtl: '1h' })
    let answer: (plan: RateLimitPlan) => void = () => undefined
    plans.answer = () => new Promise((resolve) => (answer = resolve))
    void limits()
    await world.clock.advance(10_000)
    expect(process.warnings).toEqual([
      "the plan of a tenant can't be had, and its limits are as before: no answer within 10 s",
    ])
    await world.clock.advance(1_000)
    plans.answer = undefined
    plans.plan = { requests: { limit: 60 } }
    expect(await limits()).toMatchObject({ requests: 60 })
    answer({ requests: { limit: 50 } })
    await world.clock.settle()
    expect(await limits()).toMatchObject({ requests: 60 })
  })

  it('that throws at once is a plan that can’t be had', async () => {
    const { world, plans, process, limits } = await setUp()
    plans.answer = () => {
      throw new Error('no database')
    }
    expect(await limits()).toEqual({ requests: 10, exports: 2 })
    await world.clock.advance(1_000)
    plans.answer = undefined
    plans.plan = { requests: { limit: 50 } }
    expect(await limits()).toMatchObject({ requests: 50 })
    expect(process.warnings).toHaveLength(1)
  })

  it('that can’t be used leaves the rules as written, and is told of once', async () => {
    const unusable: unknown[] = [
      { requests: { limit: -1 } },
      { requests: { window: 'soon' } },
      { requests: { limits: 5 } },
      { requests: true },
      { requests: null },
      'gold',
      7,
    ]
    for (const plan of unusable) {
      const { plans, process, limits } = await setUp()
      plans.plan = plan as RateLimitPlan
      for (let i = 0; i < 2; i++) expect(await limits()).toEqual({ requests: 10, exports: 2 })
      expect(process.warnings).toHaveLength(1)
      expect(process.warnings[0]).toMatch(/^the plan of a tenant can't be used, and its limits are as written: /)
    }
  })

  it('of null is none', async () => {
    const { plans, process, limits } = await setUp()
    plans.plan = null as never
    expect(await limits()).toEqual({ requests: 10, exports: 2 })
    expect(process.warnings).toEqual([])
  })

  it('is not asked for when a request has no tenant', async () => {
    const { plans, process } = await setUp()
    expect(of(await process.limiter.consume(RULES, { user: 'u' }))).toEqual({ requests: 10, exports: 2 })
    expect(plans.asked).toBe(0)
  })

  it('of a rule that is named as something all objects have, is none', async () => {
    const { plans, process } = await setUp()
    plans.plan = {}
    const rule: RateLimitRule = { name: 'constructor', limit: 3, window: '1m' }
    expect(of(await process.limiter.consume([rule], { tenant: 't', user: 'u' }))).toEqual({ constructor: 3 })
  })
})

describe('a plan that has changed', () => {
  it('counts in every process from then on', async () => {
    const { world, plans, process, limits } = await setUp({ planTtl: '1h' })
    const other = await world.listening({ plan: plans.of, planTtl: '1h' })
    plans.plan = { requests: { limit: 50 } }
    await limits()
    await other.limiter.peek(RULES, { tenant: 't', user: 'u' })
    plans.plan = { requests: { limit: 60 } }
    await other.limiter.planChanged('t')
    expect(await limits()).toMatchObject({ requests: 60 })
    expect(of(await other.limiter.peek(RULES, { tenant: 't', user: 'u' }))).toMatchObject({ requests: 60 })
    expect(process.warnings).toEqual([])
  })

  it('while it was asked for is asked for again: what was under way is not kept', async () => {
    const { world, plans, process, limits } = await setUp({ planTtl: '1h' })
    let answer: (plan: RateLimitPlan) => void = () => undefined
    plans.answer = () => new Promise((resolve) => (answer = resolve))
    const first = limits()
    await world.clock.settle()
    await process.limiter.planChanged('t')
    plans.answer = undefined
    plans.plan = { requests: { limit: 60 } }
    expect(await limits()).toMatchObject({ requests: 60 })
    answer({ requests: { limit: 50 } })
    expect(await first).toMatchObject({ requests: 50 })
    expect(await limits()).toMatchObject({ requests: 60 })
  })

  it('unheard is asked for again when news are heard again, while the old one counts', async () => {
    const { world, plans, process, limits } = await setUp({ planTtl: '1h' })
    plans.plan = { requests: { limit: 50 } }
    await limits()
    process.store.deaf()
    plans.plan = { requests: { limit: 60 } }
    const other = await world.listening({ plan: plans.of })
    await other.limiter.planChanged('t')
    expect(await limits()).toMatchObject({ requests: 50 })
    process.store.heard()
    await limits()
    await world.clock.settle()
    expect(await limits()).toMatchObject({ requests: 60 })
  })

  it('unheard is asked for again, also when it was being asked for at the time: what comes then may be the old one', async () => {
    const { world, plans, process, limits } = await setUp({ planTtl: '1h' })
    let answer: (plan: RateLimitPlan) => void = () => undefined
    plans.answer = () => new Promise((resolve) => (answer = resolve))
    const first = limits()
    await world.clock.settle()
    process.store.deaf()
    plans.answer = undefined
    plans.plan = { requests: { limit: 60 } }
    const other = await world.listening({ plan: plans.of })
    await other.limiter.planChanged('t')
    process.store.heard()
    answer({ requests: { limit: 50 } })
    expect(await first).toMatchObject({ requests: 50 })
    await limits()
    await world.clock.settle()
    expect(await limits()).toMatchObject({ requests: 60 })
    // And then it is remembered, as any other.
    const { asked } = plans
    await limits()
    expect(plans.asked).toBe(asked)
  })

  it('is said to have changed to others only when they were told', async () => {
    const { plans, process, limits } = await setUp()
    plans.plan = { requests: { limit: 50 } }
    await limits()
    plans.plan = { requests: { limit: 60 } }
    process.store.next.announce = ['unsent']
    await expect(process.limiter.planChanged('t')).rejects.toMatchObject({ code: 'RATE_LIMIT_UNAVAILABLE' })
    expect(await limits()).toMatchObject({ requests: 60 })
  })
})
