import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LimitProcess, LimitWorld } from '../../test/support/limit-world.js'
import type { RateLimitPlan } from './options.js'
import type { RateLimitIds, RateLimitResult, RateLimitRule } from './public-types.js'

/**
 * Whatever users, administrators and the network do, a process that remembers refusals decides as one that asks each time: two worlds live through
 * the same history, one with the deny cache and one without.
 */
describe('the deny cache', () => {
  it('changes no decision, and never says a longer wait', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moves({ maxCost: 3 }), { minLength: 1, maxLength: 150 }), async (history) => {
        for (const [asked, remembered] of await lived(history)) {
          expect(remembered.allowed).toBe(asked.allowed)
          for (const [full, known] of pairs(asked, remembered)) {
            expect({ name: known.name, limit: known.limit, allowed: known.allowed }).toEqual({
              ...{ name: full.name, limit: full.limit, allowed: full.allowed },
            })
            expect(known.retryAfterMs).toBeLessThanOrEqual(full.retryAfterMs)
          }
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('says the same wait, where all cost the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moves({ maxCost: 1 }), { minLength: 1, maxLength: 150 }), async (history) => {
        for (const [asked, remembered] of await lived(history)) {
          expect(remembered.allowed).toBe(asked.allowed)
          // What can never pass is asked to wait for a window each time, or for the rest of the one that was said first.
          for (const [full, known] of pairs(asked, remembered)) if (full.limit > 0) expect(known).toEqual(full)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('answers many of those who are over a limit, in these histories', async () => {
    const sources: string[] = []
    const histories = fc.sample(fc.array(moves({ maxCost: 3 }), { minLength: 60, maxLength: 150 }), {
      numRuns: 50,
      seed: 1,
    })
    for (const history of histories) {
      for (const [, { allowed, source }] of await lived(history)) if (!allowed) sources.push(source)
    }
    expect(sources.filter((source) => source === 'deny-cache').length).toBeGreaterThan(sources.length / 6)
  })
})

const RUNS = 150
const PROCESSES = 2

const RULES: readonly RateLimitRule[] = [
  { name: 'bucket', limit: 4, window: 1_000 },
  { name: 'burst', limit: 2, burst: 3, window: 700, by: 'user' },
  { name: 'sliding', limit: 5, window: 900, algorithm: 'sliding-window', by: 'tenant' },
  { name: 'fixed', limit: 3, window: 400, algorithm: 'fixed-window' },
  { name: 'none', limit: 0, window: 300 },
]

const PLANS: readonly (RateLimitPlan | undefined)[] = [
  undefined,
  { bucket: { limit: 60 }, sliding: { limit: 2 } },
  { '*': { limit: 1 }, none: { limit: 2 } },
  { fixed: false, bucket: { limit: 2, burst: 6 } },
]

type Move =
  | { does: 'consume'; process: number; user: string; rules: readonly number[]; cost: number }
  | { does: 'refund' | 'reset'; process: number; user: string; rules: readonly number[]; cost: number }
  | { does: 'plan'; process: number; plan: number }
  | { does: 'wait'; ms: number }
  | { does: 'deaf'; process: number }
  | { does: 'heard'; process: number }

function moves({ maxCost }: { maxCost: number }): fc.Arbitrary<Move> {
  const process = fc.nat(PROCESSES - 1)
  const call = {
    process,
    user: fc.constantFrom('ann', 'ann', 'bob'),
    rules: fc.oneof(
      { weight: 4, arbitrary: fc.nat(RULES.length - 1).map((i) => [i]) },
      { weight: 1, arbitrary: fc.subarray([0, 1, 2, 3], { minLength: 2 }) },
    ),
    cost: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: maxCost })),
  }
  return fc.oneof(
    { weight: 80, arbitrary: fc.record({ does: fc.constant('consume' as const), ...call }) },
    { weight: 6, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 250 }) }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constantFrom('refund' as const, 'reset' as const), ...call }) },
    {
      weight: 2,
      arbitrary: fc.record({ does: fc.constant('plan' as const), process, plan: fc.nat(PLANS.length - 1) }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('deaf' as const), process }) },
    { weight: 3, arbitrary: fc.record({ does: fc.constant('heard' as const), process }) },
  )
}

/** What both worlds answered, one pair for each question. */
async function lived(history: readonly Move[]): Promise<[RateLimitResult, RateLimitResult][]> {
  const [asking, remembering] = await Promise.all([live(history, false), live(history, {})])
  expect(asking).toHaveLength(remembering.length)
  return asking.map((result, i) => [result, remembering[i]!])
}

async function live(history: readonly Move[], denyCache: false | object): Promise<RateLimitResult[]> {
  const world = new LimitWorld()
  let current: RateLimitPlan | undefined
  const processes: LimitProcess[] = []
  for (let i = 0; i < PROCESSES; i++) {
    processes.push(await world.listening({ denyCache, plan: () => current, planTtl: '1h', instances: 1 }))
  }
  const results: RateLimitResult[] = []
  for (const move of history) {
    if (move.does === 'wait') {
      await world.clock.advance(move.ms)
      continue
    }
    const { limiter, store } = processes[move.process]!
    if (move.does === 'plan') {
      current = PLANS[move.plan]
      await limiter.planChanged('t')
      // The deaf don't hear of it. Which plan they go by is another matter, the same in both worlds.
    } else if (move.does === 'deaf') store.deaf()
    else if (move.does === 'heard') store.heard()
    else {
      const ids: RateLimitIds = { tenant: 't', user: move.user }
      const rules = move.rules.map((i) => RULES[i]!)
      if (move.does === 'consume') results.push(await limiter.consume(rules, ids, move.cost))
      else if (move.does === 'refund') await limiter.refund(rules, ids, move.cost)
      else await limiter.reset(rules, ids)
    }
  }
  await Promise.all(processes.map(({ limiter }) => limiter.close()))
  return results
}

/** What both say of one rule; the deny cache says nothing of rules that it knows nothing of. */
function pairs(
  asked: RateLimitResult,
  remembered: RateLimitResult,
): [RateLimitResult['rules'][number], RateLimitResult['rules'][number]][] {
  return remembered.rules.map((known) => [asked.rules.find(({ name }) => name === known.name)!, known])
}
