import { describe, expect, it } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import { DenyCache } from './deny-cache.js'
import type { RateLimitPlan } from './options.js'
import type { RateLimitRule } from './public-types.js'
import type { Ask } from './rate-limit-store.js'
import { compileRule } from './rules.js'

const RULE: RateLimitRule = { name: 'r', limit: 2, window: 1_000 }
const IDS = { tenant: 't', user: 'ann' }

describe('who is over a limit', () => {
  it('costs no call to the store until it may pass again, and passes then', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    for (let i = 0; i < 2; i++) expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: true })
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: false, source: 'redis', retryAfterMs: 500 })
    store.taken('take')
    await world.clock.advance(200)
    for (let i = 0; i < 1_000; i++) await limiter.consume([RULE], IDS)
    expect(await limiter.consume([RULE], IDS)).toEqual({
      allowed: false,
      rules: [{ name: 'r', limit: 2, windowMs: 1_000, remaining: 0, retryAfterMs: 300, resetMs: 800, allowed: false }],
      source: 'deny-cache',
      retryAfterMs: 300,
    })
    await world.clock.advance(299)
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ source: 'deny-cache', retryAfterMs: 1 })
    expect(store.taken('take')).toBe(0)
    await world.clock.advance(1)
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: true, source: 'redis' })
    expect(store.taken('take')).toBe(1)
  })

  it('is refused by what is known, without a question to the rules that nothing is known of', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    const other: RateLimitRule = { name: 'other', limit: 100, window: 1_000 }
    await limiter.consume([RULE], IDS, 2)
    await limiter.consume([RULE, other], IDS)
    store.taken('take')
    const { allowed, rules, source } = await limiter.consume([other, RULE], IDS)
    expect({ allowed, source, names: rules.map(({ name }) => name) }).toEqual({
      ...{ allowed: false, source: 'deny-cache', names: ['r'] },
    })
    expect(store.taken('take')).toBe(0)
    // Nothing was spent of the other.
    expect((await limiter.peek([other], IDS)).rules[0]).toMatchObject({ remaining: 100 })
  })

  it('may pass with a smaller cost', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening()
    await limiter.consume([RULE], IDS)
    expect(await limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: false })
    expect(await limiter.consume([RULE], IDS, 1)).toMatchObject({ allowed: true })
  })

  it('waits no longer than the store says, however long its answer takes', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    await limiter.consume([RULE], IDS, 2)
    store.next.take = [{ replyMs: 300 }]
    const refused = limiter.consume([RULE], IDS)
    await world.clock.advance(300)
    expect(await refused).toMatchObject({ allowed: false, retryAfterMs: 500 })
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ source: 'deny-cache', retryAfterMs: 200 })
    await world.clock.advance(200)
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: true })
  })

  it('is remembered for as many as were said, and the longest unasked is forgotten first', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening({ denyCache: { maxEntries: 3 } })
    const none: RateLimitRule = { name: 'none', limit: 0, window: '1m' }
    const ask = (user: string): Promise<unknown> => limiter.consume([none], { user })
    for (const user of ['a', 'b', 'c', 'a', 'd']) await ask(user)
    store.taken('take')
    for (const user of ['a', 'c', 'd']) await ask(user)
    expect(store.taken('take')).toBe(0)
    await ask('b')
    expect(store.taken('take')).toBe(1)
  })

  it('is remembered 50,000 times at most', () => {
    const cache = new DenyCache(50_000)
    cache.hears()
    const { spec } = compileRule(RULE)
    const askOf = (i: number): Ask => ({ id: `{t}:${i}`, home: 't', spec, cost: 1, most: 1 })
    const refused = { granted: 0, remaining: 0, retryUs: 1_000_000, resetUs: 1_000_000 }
    for (let i = 0; i < 60_000; i++) cache.remember(askOf(i), refused, cache.mark(), 0)
    const known = Array.from({ length: 60_000 }, (_, i) => cache.find(askOf(i), 0)).filter((one) => one !== undefined)
    expect(known).toHaveLength(50_000)
  })
})

describe('after a refund, a reset or a larger limit', () => {
  it('of another process nothing is answered that was refused before', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    for (const giveBack of ['refund', 'reset'] as const) {
      await one.limiter.reset([RULE], IDS)
      await one.limiter.consume([RULE], IDS, 2)
      expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: false })
      expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ source: 'deny-cache' })
      await (giveBack === 'refund' ? other.limiter.refund([RULE], IDS, 2) : other.limiter.reset([RULE], IDS))
      expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true, source: 'redis' })
    }
  })

  it('of its own a process needs no news', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    await limiter.consume([RULE], IDS, 2)
    await limiter.consume([RULE], IDS, 2)
    store.losesNews = true
    await limiter.refund([RULE], IDS, 2)
    expect(await limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true })
    await limiter.consume([RULE], IDS, 2)
    await limiter.reset([RULE], IDS)
    expect(await limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true })
  })

  it('that may have been made, although no answer came, a process of its own asks again', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    store.losesNews = true
    for (const giveBack of ['refund', 'reset'] as const) {
      await limiter.consume([RULE], IDS, 2)
      await limiter.consume([RULE], IDS, 2)
      store.next[giveBack] = ['reply lost']
      await expect(limiter[giveBack]([RULE], IDS, 2)).rejects.toMatchObject({ code: 'RATE_LIMIT_UNAVAILABLE' })
      expect(await limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true })
    }
  })

  it('that is heard while a question is under way, its answer is not remembered', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    await one.limiter.consume([RULE], IDS, 2)
    one.store.next.take = ['held']
    const asked = one.limiter.consume([RULE], IDS, 2)
    await world.clock.settle()
    await other.limiter.refund([RULE], IDS, 2)
    await one.store.answerHeld()
    expect(await asked).toMatchObject({ allowed: false })
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true, source: 'redis' })
  })

  it('of somebody else that is heard while a question is under way, its answer is remembered', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    await one.limiter.consume([RULE], IDS, 2)
    one.store.next.take = ['held']
    const asked = one.limiter.consume([RULE], IDS, 2)
    await world.clock.settle()
    await other.limiter.refund([RULE], { ...IDS, user: 'bob' }, 2)
    await one.store.answerHeld()
    expect(await asked).toMatchObject({ allowed: false })
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ source: 'deny-cache' })
  })

  it('of so many that nobody remembers all of them, an answer that was under way is not remembered', () => {
    const cache = new DenyCache(10)
    cache.hears()
    const { spec } = compileRule(RULE)
    const ask: Ask = { id: '{t}:ann', home: 't', spec, cost: 1, most: 1 }
    const refused = { granted: 0, remaining: 0, retryUs: 1_000_000, resetUs: 1_000_000 }
    for (const others of [999, 1_000, 5_000]) {
      cache.forgetAll()
      const mark = cache.mark()
      cache.forget(ask.id)
      for (let i = 0; i < others; i++) cache.forget(`{t}:${i}`)
      cache.remember(ask, refused, mark, 0)
      expect([others, cache.find(ask, 0)]).toEqual([others, undefined])
      cache.remember(ask, refused, cache.mark(), 0)
      expect(cache.find(ask, 0)).toBeDefined()
    }
  })

  it('that is heard after the answer, it is forgotten', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    await one.limiter.consume([RULE], IDS, 2)
    await one.limiter.consume([RULE], IDS, 2)
    one.store.delaysNews = true
    await other.limiter.refund([RULE], IDS, 2)
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ source: 'deny-cache' })
    one.store.deliver()
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true })
  })

  it('of one user the others are remembered', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening()
    for (const user of ['ann', 'bob']) {
      await limiter.consume([RULE], { user }, 2)
      await limiter.consume([RULE], { user }, 2)
    }
    await limiter.refund([RULE], { user: 'ann' }, 2)
    expect(await limiter.consume([RULE], { user: 'bob' }, 2)).toMatchObject({ source: 'deny-cache' })
  })

  it('of a rule with the same counter, the refusal of the old one does not count', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening()
    await limiter.consume([RULE], IDS, 2)
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: false })
    expect(await limiter.consume([{ ...RULE, limit: 5 }], IDS)).toMatchObject({ allowed: true })
    expect(await limiter.consume([{ ...RULE, burst: 9 }], IDS)).toMatchObject({ allowed: true })
  })

  it('of a plan, nothing of what was refused under the one before is answered when it comes back', async () => {
    const world = new LimitWorld()
    let plan: RateLimitPlan = {}
    const options = { plan: () => plan }
    const [one, other] = [await world.listening(options), await world.listening(options)]
    await one.limiter.consume([RULE], IDS, 2)
    expect(await one.limiter.consume([RULE], IDS)).toMatchObject({ allowed: false, retryAfterMs: 500 })
    plan = { r: { limit: 100 } }
    await other.limiter.planChanged('t')
    await world.clock.advance(100)
    // The bucket has been paid back at the greater rate.
    await other.limiter.consume([RULE], IDS)
    plan = {}
    await other.limiter.planChanged('t')
    expect(await one.limiter.consume([RULE], IDS)).toMatchObject({ allowed: true })
  })
})

describe('a process that may miss refunds', () => {
  it('remembers nothing before it hears them', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process()
    store.next.listen = ['unsent', 'unsent']
    await limiter.consume([RULE], IDS, 2)
    for (let i = 0; i < 3; i++)
      expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: false, source: 'redis' })
    // It tries again each second.
    await world.clock.advance(1_000)
    await limiter.consume([RULE], IDS, 2)
    expect(await limiter.consume([RULE], IDS, 2)).toMatchObject({ source: 'redis' })
    await world.clock.advance(1_000)
    await limiter.consume([RULE], IDS, 2)
    await limiter.consume([RULE], IDS, 2)
    expect(await limiter.consume([RULE], IDS, 2)).toMatchObject({ source: 'deny-cache' })
  })

  it('answers nothing from memory while it is deaf, and nothing from before when it hears again', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    await one.limiter.consume([RULE], IDS, 2)
    await one.limiter.consume([RULE], IDS, 2)
    one.store.deaf()
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: false, source: 'redis' })
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: false, source: 'redis' })
    await other.limiter.refund([RULE], IDS, 2)
    one.store.heard()
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true })
    await one.limiter.consume([RULE], IDS, 2)
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ source: 'deny-cache' })
  })

  it('does not remember an answer that was under way while it was deaf', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    await one.limiter.consume([RULE], IDS, 2)
    one.store.next.take = ['held']
    const asked = one.limiter.consume([RULE], IDS, 2)
    await world.clock.settle()
    one.store.deaf()
    await other.limiter.refund([RULE], IDS, 2)
    one.store.heard()
    await one.store.answerHeld()
    expect(await asked).toMatchObject({ allowed: false })
    expect(await one.limiter.consume([RULE], IDS, 2)).toMatchObject({ allowed: true })
  })

  it('remembers nothing once it was closed', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    await limiter.consume([RULE], IDS, 2)
    await limiter.consume([RULE], IDS)
    await limiter.close()
    expect(store.listening).toBe(0)
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: false, source: 'redis' })
    expect(await limiter.consume([RULE], IDS)).toMatchObject({ allowed: false, source: 'redis' })
    await world.clock.settle()
    expect(store.listening).toBe(0)
  })
})

describe('without a deny cache', () => {
  it('every refusal is the store’s, and nobody listens', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process({ denyCache: false })
    await limiter.consume([RULE], IDS, 2)
    await world.clock.settle()
    for (let i = 0; i < 3; i++) expect(await limiter.consume([RULE], IDS)).toMatchObject({ source: 'redis' })
    expect(store.taken('listen')).toBe(0)
  })
})
