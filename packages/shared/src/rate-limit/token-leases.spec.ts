import { describe, expect, it } from 'vitest'
import { type LimitProcess, LimitWorld } from '../../test/support/limit-world.js'
import type { RateLimitPlan } from './options.js'
import type { RateLimitIds, RateLimitRule } from './public-types.js'

const FIXED: RateLimitRule = { name: 'all', limit: 100, window: 10_000, algorithm: 'fixed-window', scope: 'global' }
const IDS = { tenant: 't', user: 'ann' }

/** How many of so many requests at the same time pass. */
async function passing(
  { limiter }: LimitProcess,
  count: number,
  rules: readonly RateLimitRule[],
  ids: RateLimitIds = IDS,
): Promise<number> {
  const results = await Promise.all(Array.from({ length: count }, () => limiter.consume(rules, ids)))
  return results.filter(({ allowed }) => allowed).length
}

describe('a limit across all tenants', () => {
  it('is one for all of them', async () => {
    const { limiter } = await new LimitWorld().listening()
    const two: RateLimitRule = { ...FIXED, limit: 2 }
    const allowed = []
    for (const tenant of ['a', 'b', 'c']) allowed.push((await limiter.consume([two], { tenant, user: 'u' })).allowed)
    expect(allowed).toEqual([true, true, false])
  })

  it('is exact across processes with leases of 1, each request a question', async () => {
    const world = new LimitWorld()
    const processes = await Promise.all(Array.from({ length: 4 }, () => world.listening()))
    const exact: RateLimitRule = { ...FIXED, lease: 1 }
    let passed = 0
    for (let i = 0; i < 200; i++) passed += await passing(processes[i % 4]!, 1, [exact])
    expect(passed).toBe(100)
    expect(processes[0]!.store.demands.every(([ask]) => ask!.most === 1)).toBe(true)
  })

  it('never lets more than its limit pass in a window, and misses its limit by n * (l - 1) at most', async () => {
    const world = new LimitWorld()
    const [n, lease] = [5, 8]
    const processes = await Promise.all(Array.from({ length: n }, () => world.listening({ denyCache: false })))
    const leased: RateLimitRule = { ...FIXED, limit: 300, lease }
    let passed = 0
    // All within the first second.
    for (let round = 0; round < 30; round++) {
      for (const each of processes) for (let i = 0; i < 5; i++) passed += await passing(each, 1, [leased])
      await world.clock.advance(20)
    }
    expect(passed).toBeLessThanOrEqual(300)
    expect(passed).toBeGreaterThanOrEqual(300 - n * (lease - 1))
    // What some hold and others lack comes back within a second, and may then be spent.
    await world.clock.advance(1_000)
    let rest = 0
    for (let i = 0; i < 300; i++) rest += await passing(processes[i % n]!, 1, [leased])
    expect(passed + rest).toBeLessThanOrEqual(300)
    await world.clock.advance(1_000)
    for (let i = 0; i < 300; i++) rest += await passing(processes[0]!, 1, [leased])
    expect(passed + rest).toBe(300)
  })

  it('costs the busy few questions', async () => {
    const world = new LimitWorld()
    const busy = await world.listening()
    const leased: RateLimitRule = { ...FIXED, limit: 100_000, lease: 1_000 }
    for (let i = 0; i < 5_000; i++) await busy.limiter.consume([leased], IDS)
    expect(busy.store.taken('take')).toBeLessThan(25)
  })

  it('is exact for the quiet, who take nothing in advance', async () => {
    const world = new LimitWorld()
    const quiet = await world.listening()
    const leased: RateLimitRule = { ...FIXED, limit: 100_000, lease: 1_000 }
    for (let i = 0; i < 5; i++) {
      await quiet.limiter.consume([leased], IDS)
      await world.clock.advance(1_001)
    }
    expect(quiet.store.demands.map(([ask]) => ask!.most)).toEqual([1, 1, 1, 1, 1])
    expect((await quiet.limiter.peek([leased], IDS)).rules[0]).toMatchObject({ remaining: 99_995 })
  })

  it('is asked once for all who come while a question is under way', async () => {
    const world = new LimitWorld()
    const busy = await world.listening()
    busy.store.next.take = [{ replyMs: 50 }]
    const asked = Array.from({ length: 40 }, () => busy.limiter.consume([FIXED], IDS))
    await world.clock.advance(20)
    // All of a turn are one question.
    expect(busy.store.demands[0]![0]).toMatchObject({ cost: 1, most: 40 })
    asked.push(...Array.from({ length: 40 }, () => busy.limiter.consume([FIXED], IDS)))
    await world.clock.advance(40)
    expect((await Promise.all(asked)).filter(({ allowed }) => allowed)).toHaveLength(80)
    expect(busy.store.taken('take')).toBe(2)
  })

  it('gives back what nobody spends within a second, and then nothing of it is left in the process', async () => {
    const world = new LimitWorld()
    const [busy, other] = [await world.listening({ denyCache: false }), await world.listening({ denyCache: false })]
    const leased: RateLimitRule = { ...FIXED, lease: 40 }
    let passed = 0
    for (let i = 0; i < 20; i++) passed += await passing(busy, 1, [leased])
    const rest = await passing(other, 100, [leased])
    expect(passed + rest).toBeLessThan(100)
    await world.clock.advance(1_000)
    expect(passed + rest + (await passing(other, 100, [leased]))).toBe(100)
    await world.clock.advance(3_000)
    expect(leftovers(busy) + leftovers(other)).toBe(0)
  })

  it('leaves neither an entry nor a timer of clients that went', async () => {
    const world = new LimitWorld()
    const process = await world.listening({ instances: 1 })
    const timers = world.clock.pendingTimers
    for (let i = 0; i < 500; i++) await process.limiter.consume([{ ...FIXED, by: 'user' }], { user: `u${i}` })
    expect(leftovers(process)).toBe(500)
    await world.clock.advance(2_100)
    expect(leftovers(process)).toBe(0)
    expect(world.clock.pendingTimers).toBe(timers)
  })

  it('gives back all it holds when it is closed, also what is under way, and holds nothing after that', async () => {
    const world = new LimitWorld()
    const busy = await world.listening()
    const leased: RateLimitRule = { ...FIXED, lease: 40 }
    for (let i = 0; i < 20; i++) await busy.limiter.consume([leased], IDS)
    busy.store.next.take = ['held']
    const asked = Promise.all(Array.from({ length: 20 }, () => busy.limiter.consume([leased], IDS)))
    await world.clock.settle()
    let isClosed = false
    const closed = busy.limiter.close().then(() => (isClosed = true))
    await world.clock.settle()
    // The connection may be closed after it.
    expect(isClosed).toBe(false)
    await busy.store.answerHeld()
    await closed
    await asked
    const left = async (): Promise<number> => (await busy.limiter.peek([leased], IDS)).rules[0]!.remaining
    expect(await left()).toBe(60)
    for (let i = 0; i < 10; i++) await busy.limiter.consume([leased], IDS)
    expect(await left()).toBe(50)
  })

  it('counts what is held for a request that costs more than that', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening()
    const five: RateLimitRule = { ...FIXED, limit: 5, lease: 5 }
    const allowed = []
    // One is held after the third, and one is free in the store.
    for (const cost of [1, 1, 1, 2, 1]) allowed.push((await limiter.consume([five], IDS, cost)).allowed)
    expect(allowed).toEqual([true, true, true, true, false])
  })

  it('is one for each limit that a plan gives it: units of a large one say nothing of a small one', async () => {
    const world = new LimitWorld()
    const plan = (tenant: string): RateLimitPlan | undefined => (tenant === 'poor' ? { all: { limit: 0 } } : undefined)
    const { limiter } = await world.listening({ plan })
    const leased: RateLimitRule = { ...FIXED, lease: 40 }
    for (let i = 0; i < 20; i++) await limiter.consume([leased], { tenant: 'rich', user: 'u' })
    expect(await limiter.consume([leased], { tenant: 'poor', user: 'u' })).toMatchObject({ allowed: false })
  })
})

describe('a request that another rule refuses', () => {
  const own: RateLimitRule = { name: 'own', limit: 0, window: '1m' }

  it('spends nothing of the limit of all tenants', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening({ denyCache: false })
    const exact: RateLimitRule = { ...FIXED, lease: 1 }
    for (let i = 0; i < 20; i++) await limiter.consume([exact, own], IDS)
    await world.clock.settle()
    expect((await limiter.peek([exact], IDS)).rules[0]).toMatchObject({ remaining: 100 })
  })

  it('gives back at once what is more than a lease holds, so that others are not refused meanwhile', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    const leased: RateLimitRule = { ...FIXED, lease: 5 }
    expect(await passing(one, 100, [own, leased])).toBe(0)
    await world.clock.settle()
    expect(await passing(other, 100, [leased])).toBeGreaterThanOrEqual(96)
    expect(one.store.taken('refund')).toBe(1)
  })

  it('gives back at once also when the refusal comes long after', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    const exact: RateLimitRule = { ...FIXED, lease: 1 }
    store.next.take = ['nothing', { replyMs: 50 }]
    const refused = limiter.consume([exact, own], IDS)
    await world.clock.advance(50)
    expect(await refused).toMatchObject({ allowed: false })
    await world.clock.settle()
    expect((await limiter.peek([exact], IDS)).rules[0]).toMatchObject({ remaining: 100 })
  })

  it('leaves its unit to who waits, even when the store has none for them', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening()
    const last: RateLimitRule = { ...FIXED, limit: 1, lease: 1 }
    store.next.take = ['nothing', { replyMs: 50 }, { replyMs: 100 }]
    const refused = limiter.consume([last, own], IDS)
    await world.clock.settle()
    const waiting = limiter.consume([last], IDS)
    await world.clock.advance(100)
    expect([(await refused).allowed, (await waiting).allowed]).toEqual([false, true])
  })

  it('and is refused by the limit of all tenants too, spends nothing of its own', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening()
    const [all, mine] = [
      { ...FIXED, limit: 0 },
      { ...own, limit: 5 },
    ]
    const { allowed, rules } = await limiter.consume([mine, all], IDS)
    expect({ allowed, rules: rules.map(({ name, allowed }) => [name, allowed]) }).toEqual({
      allowed: false,
      rules: [
        ['own', true],
        ['all', false],
      ],
    })
    expect((await limiter.peek([mine], IDS)).rules[0]).toMatchObject({ remaining: 5 })
  })
})

describe('a question under way', () => {
  it('is not answered to who came after a refund that it may not have seen', async () => {
    const world = new LimitWorld()
    const [one, other] = [await world.listening(), await world.listening()]
    const exact: RateLimitRule = { ...FIXED, limit: 1, lease: 1 }
    await one.limiter.consume([exact], IDS)
    one.store.next.take = ['held']
    const before = one.limiter.consume([exact], IDS)
    await world.clock.settle()
    await other.limiter.refund([exact], IDS)
    const after = one.limiter.consume([exact], IDS)
    await world.clock.settle()
    await one.store.answerHeld()
    expect(await before).toMatchObject({ allowed: false })
    expect(await after).toMatchObject({ allowed: true })
  })

  it('that fails is an outage for all who wait, and the next begins anew', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening({ instances: 1 })
    store.next.take = ['unsent']
    const results = await Promise.all(
      Array.from({ length: 5 }, () => limiter.consume([{ ...FIXED, onUnavailable: 'deny' }], IDS)),
    )
    expect(results.map(({ allowed, source }) => [allowed, source])).toEqual(Array(5).fill([false, 'unavailable']))
    expect(await limiter.consume([FIXED], IDS)).toMatchObject({ allowed: true, source: 'redis' })
  })

  it('serves the costly and the cheap, each by what it costs', async () => {
    const world = new LimitWorld()
    const { limiter } = await world.listening()
    const ten: RateLimitRule = { ...FIXED, limit: 10, lease: 1 }
    const costs = [4, 5, 3, 1, 1]
    const results = await Promise.all(costs.map((cost) => limiter.consume([ten], IDS, cost)))
    expect(results.map(({ allowed }) => allowed)).toEqual([true, true, false, true, false])
  })

  it('to one of two such limits that fails gives back what the other granted', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening({ instances: 1 })
    const rules: RateLimitRule[] = [
      { ...FIXED, name: 'one', lease: 1 },
      { ...FIXED, name: 'two', lease: 1 },
    ]
    store.next.take = ['nothing', 'unsent']
    expect(await limiter.consume(rules, IDS)).toMatchObject({ source: 'local' })
    await world.clock.settle()
    expect((await limiter.peek(rules, IDS)).rules.map(({ remaining }) => remaining)).toEqual([100, 100])
  })

  it('of a tenant’s own rules that fails gives back what was taken of all tenants’', async () => {
    const world = new LimitWorld()
    const { limiter, store } = await world.listening({ instances: 1 })
    const rules: RateLimitRule[] = [
      { ...FIXED, lease: 1 },
      { name: 'own', limit: 5, window: '1m' },
    ]
    store.next.take = ['nothing', 'unsent']
    expect(await limiter.consume(rules, IDS)).toMatchObject({ source: 'local' })
    await world.clock.settle()
    expect((await limiter.peek(rules, IDS)).rules.map(({ remaining }) => remaining)).toEqual([100, 5])
  })
})

function leftovers({ limiter }: LimitProcess): number {
  return (limiter as unknown as { leases: { leases: Map<string, unknown> } }).leases.leases.size
}
