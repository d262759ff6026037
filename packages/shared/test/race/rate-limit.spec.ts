import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RateLimitIds, RateLimitRule } from '../../src/rate-limit/public-types.js'
import type { RateLimitAlgorithm } from '../../src/rate-limit/rate-limit-store.js'
import { askOf } from '../contract/rate-limit-store.contract.js'
import { compiled, startProgram, type Worker } from '../rig/fleet.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const PREFIX = 'vextrus:'
const PROCESSES = 4
const REQUESTS = 2_000
const LIMIT = 700
const LEASE = 5
/** Nothing comes back while a race is on: of 700 units a day, one in two minutes. */
const WINDOW = '366d'
const ALGORITHMS: readonly RateLimitAlgorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']

interface Plan {
  readonly rules: readonly RateLimitRule[]
  readonly cost?: number
  readonly waves?: number
  readonly limiter?: 'with a deny cache' | 'without a deny cache'
}

/** Limits with real processes: exactly as many requests pass as a limit says, whoever asks. */
describe('two thousand requests at once from four processes', () => {
  let server: RedisServer
  let fleet: Worker[]
  let client: Awaited<ReturnType<typeof redisLimitStore>>
  let ids: RateLimitIds
  let tests = 0

  beforeAll(async () => {
    server = await startRedis()
    client = await redisLimitStore({ url: server.url }, PREFIX)
    const program = new URL('limit-process.mjs', import.meta.url).pathname
    const dist = new URL('..', compiled('rate-limit/index.js')).href
    fleet = await Promise.all(
      Array.from({ length: PROCESSES }, (_, i) =>
        startProgram(program, { name: `process ${i + 1}`, url: server.url, keyPrefix: PREFIX, dist }, {}),
      ),
    )
  })
  afterAll(async () => {
    await Promise.all(fleet.map((worker) => worker.close()))
    await client.close()
    await server.stop()
  })
  beforeEach(() => {
    ids = { user: `u${++tests}`, tenant: `t${tests}`, ip: `10.0.0.${tests}` }
  })

  /** How many pass, of all; and who decided. */
  async function race(task: 'take' | 'consume', { rules, cost = 1, ...plan }: Plan) {
    const startAt = Number(process.hrtime.bigint()) / 1e6 + 50
    const input = { rules, ids, cost, requests: REQUESTS / PROCESSES, startAt, ...plan }
    const outcomes = await Promise.all(
      fleet.map((worker) => worker.ask<{ passed: number; sources: string[] }>(task, input)),
    )
    return {
      passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
      sources: [...new Set(outcomes.flatMap(({ sources }) => sources))].toSorted(),
    }
  }
  const remaining = async (rules: readonly RateLimitRule[]): Promise<number[]> =>
    Promise.all(rules.map(async (rule) => (await client.store.peek([askOf(rule, ids)]))[0]!.remaining))

  const three: readonly RateLimitRule[] = [
    { limit: LIMIT, window: WINDOW, algorithm: 'token-bucket' },
    { limit: LIMIT - 200, window: WINDOW, algorithm: 'sliding-window', by: 'tenant' },
    { limit: LIMIT + 300, window: WINDOW, algorithm: 'fixed-window', by: 'ip' },
  ]

  describe('of the store', () => {
    it.each(ALGORITHMS)('are as many as a %s says', async (algorithm) => {
      const rules = [{ limit: LIMIT, window: WINDOW, algorithm }]
      expect(await race('take', { rules })).toMatchObject({ passed: LIMIT })
      expect(await remaining(rules)).toEqual([0])
    })

    it.each(ALGORITHMS)('that cost three each spend what they cost from a %s, and no part of it', async (algorithm) => {
      const rules = [{ limit: LIMIT, window: WINDOW, algorithm }]
      expect(await race('take', { rules, cost: 3 })).toMatchObject({ passed: Math.floor(LIMIT / 3) })
      expect(await remaining(rules)).toEqual([LIMIT % 3])
    })

    it('under three limits are as many as the smallest says, and have spent as much of the others', async () => {
      expect(await race('take', { rules: three })).toMatchObject({ passed: LIMIT - 200 })
      expect(await remaining(three)).toEqual([200, 0, 500])
    })
  })

  describe.each(['with a deny cache', 'without a deny cache'] as const)('of a limiter %s', (limiter) => {
    const sources = limiter === 'with a deny cache' ? ['deny-cache', 'redis'] : ['redis']
    const waves = 5

    it.each(ALGORITHMS)('are as many as a %s says', async (algorithm) => {
      const rules = [{ limit: LIMIT, window: WINDOW, algorithm }]
      expect(await race('consume', { limiter, rules, waves })).toEqual({ passed: LIMIT, sources })
      expect(await remaining(rules)).toEqual([0])
    })

    it('under three limits are as many as the smallest says, and have spent as much of the others', async () => {
      expect(await race('consume', { limiter, rules: three, waves })).toEqual({ passed: LIMIT - 200, sources })
      expect(await remaining(three)).toEqual([200, 0, 500])
    })

    it('under a limit for all tenants are no more than it says, and fewer by what processes hold in advance at most', async () => {
      const rules: RateLimitRule[] = [{ limit: LIMIT, window: WINDOW, scope: 'global', lease: LEASE }]
      const { passed } = await race('consume', { limiter, rules, waves })
      expect(passed).toBeLessThanOrEqual(LIMIT)
      expect(passed).toBeGreaterThanOrEqual(LIMIT - PROCESSES * (LEASE - 1))
    })
  })
})
