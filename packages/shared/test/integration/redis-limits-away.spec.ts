import { afterEach, describe, expect, it } from 'vitest'
import {
  type RateLimitIds,
  type RateLimitResult,
  type RateLimitRule,
  RateLimiterService,
} from '../../src/rate-limit/index.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import { slotOf } from '../../src/redis/slot.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { startCluster } from '../support/redis-cluster.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** Redis is killed, stopped and cut off while requests come in: nobody waits for it, and each rule does what it was told to. */

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** As a process has it that was told nothing of its surroundings. */
async function limiterOn(
  options: RedisConnectionOptions,
  timeout = 80,
): Promise<{ limiter: RateLimiterService; warnings: string[] }> {
  const { store, close } = await redisLimitStore({ commandTimeout: 500, ...options }, 'vextrus:', timeout)
  const warnings: string[] = []
  const limiter = new RateLimiterService(() => store, { timeout }, { warn: (text) => warnings.push(text) })
  closing.push(close, () => limiter.close())
  return { limiter, warnings }
}

async function server(): Promise<RedisServer> {
  const started = await startRedis()
  closing.push(() => started.stop())
  return started
}

/** Many times what is measured: a busy machine stops a process for that long. */
const LONGEST_MS = 1_500

/** Of which nobody in these tests ever uses up even half. */
const ROOMY: RateLimitRule = { name: 'roomy', limit: 10_000, window: '1m', onUnavailable: 'local' }
const FEW: RateLimitRule = { name: 'few', limit: 6, window: '1h', algorithm: 'fixed-window', onUnavailable: 'local' }
const STRICT: RateLimitRule = { ...ROOMY, name: 'strict', onUnavailable: 'deny' }
const OPEN: RateLimitRule = { ...FEW, name: 'open', onUnavailable: 'allow' }

interface Answer extends RateLimitResult {
  readonly kind: string
  readonly tookMs: number
}

/** Requests that come whether or not those before them were answered, some hundred a second, until it is stopped. */
class Load {
  readonly answers: Answer[] = []
  private readonly underWay = new Set<Promise<void>>()
  private readonly timer: NodeJS.Timeout
  private count = 0

  constructor(private readonly limiters: readonly RateLimiterService[]) {
    this.timer = setInterval(() => this.tick(), 4)
  }

  /** Everything that was asked has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.timer)
    await Promise.all(this.underWay)
  }

  /** Answers from now on are counted apart. */
  taken(): Answer[] {
    return this.answers.splice(0)
  }

  private tick(): void {
    const i = this.count++
    const limiter = this.limiters[i % this.limiters.length]!
    this.ask(limiter, 'roomy', [ROOMY], { tenant: `t${i % 7}`, user: `u${i % 50}` })
    if (i % 4 === 0) this.ask(limiter, 'few', [ROOMY, FEW], { tenant: 't', user: 'greedy' })
    if (i % 4 === 1) this.ask(limiter, 'strict', [STRICT, ROOMY], { tenant: 't', user: 'careful' })
    if (i % 4 === 2) this.ask(limiter, 'open', [OPEN], { tenant: 't', user: `once ${i}` })
  }

  private ask(limiter: RateLimiterService, kind: string, rules: readonly RateLimitRule[], ids: RateLimitIds): void {
    const startedAt = performance.now()
    const asked = limiter.consume(rules, ids).then((result) => {
      this.answers.push({ ...result, kind, tookMs: performance.now() - startedAt })
      this.underWay.delete(asked)
    })
    this.underWay.add(asked)
  }
}

function longest(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ tookMs }) => tookMs))
}

/** What was decided of a kind, each once. */
function decisions(answers: readonly Answer[], kind: string): string[] {
  const found = answers.filter((answer) => answer.kind === kind)
  return [...new Set(found.map(({ allowed, source }) => `${allowed ? 'passes' : 'refused'} ${source}`))].sort()
}

for (const way of ['killed', 'stopped'] as const) {
  describe(`a server that is ${way} under load`, () => {
    it('is waited for by nobody; each rule does what it was told; and counts again when it is back', async () => {
      const redis = await server()
      const [one, other] = [await limiterOn({ url: redis.url }), await limiterOn({ url: redis.url })]
      const load = new Load([one.limiter, other.limiter])
      closing.push(() => load.stop())
      await waitFor('some answers', () => load.answers.length > 60)
      const well = load.taken()
      expect(decisions(well, 'roomy')).toContain('passes redis')
      expect(decisions(well, 'strict')).toContain('passes redis')

      if (way === 'killed') await redis.kill()
      else redis.pause()
      const last = load.taken()
      await waitFor('answers without Redis', () => load.answers.filter(({ source }) => source === 'local').length > 250)
      const away = load.taken()

      if (way === 'killed') await redis.restart()
      else redis.resume()
      const backAt = performance.now()
      const isBack = ({ limiter }: typeof one): Promise<boolean> =>
        limiter.consume([ROOMY], { user: 'probe' }).then(({ source }) => source === 'redis')
      await waitFor('both to ask Redis again', async () => (await isBack(one)) && (await isBack(other)))
      const recoveredMs = performance.now() - backAt
      const between = load.taken()
      await waitFor('answers of Redis', () => load.answers.length > 60)
      await load.stop()
      const after = load.taken()

      const all = [...well, ...last, ...away, ...between, ...after]
      expect(longest(all)).toBeLessThan(LONGEST_MS)
      // Never a refusal for who is under its limit.
      expect(all.filter(({ kind, allowed }) => kind === 'roomy' && !allowed)).toEqual([])
      expect(decisions(away, 'roomy')).toContain('passes local')
      // Refused by the rule that says so, in place of Redis.
      expect(decisions(away, 'strict')).toContain('refused local')
      expect(decisions(away, 'strict')).not.toContain('passes local')
      expect(decisions(away, 'open').filter((decision) => decision.startsWith('refused'))).toEqual([])
      // At most six by each who counts: Redis before and after, and each process.
      expect(all.filter(({ kind, allowed }) => kind === 'few' && allowed).length).toBeLessThanOrEqual(4 * 6)
      expect(decisions(away, 'few').some((decision) => decision.startsWith('refused'))).toBe(true)
      expect(decisions(after, 'roomy')).toContain('passes redis')
      expect(decisions(after, 'strict')).toContain('passes redis')
      expect(recoveredMs).toBeLessThan(10_000)
      expect([one.warnings.length, other.warnings.length]).toEqual([1, 1])
    })
  })
}

describe('a master of a Cluster that is killed under load', () => {
  it('is not noticed by tenants on the other masters', async () => {
    const cluster = await startCluster({ masters: 3, replicas: 0 })
    closing.push(() => cluster.stop())
    for (const node of cluster.servers) await node.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
    // Patient, so that only a master that is away is one.
    const { limiter } = await limiterOn({ cluster: { nodes: [...cluster.nodes] }, commandTimeout: 3_000 }, 1_400)
    const killed = cluster.servers[0]!
    const tenants = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const home = `vextrus@limit:{tenant${i}}`
        return { tenant: `tenant${i}`, isAway: (await cluster.masterOf(slotOf(home))) === killed }
      }),
    )
    const answers: (RateLimitResult & { isAway: boolean; tookMs: number })[] = []
    const ask = async ({ tenant, isAway }: (typeof tenants)[number]): Promise<void> => {
      const startedAt = performance.now()
      const result = await limiter.consume([ROOMY], { tenant, user: 'u' })
      answers.push({ ...result, isAway, tookMs: performance.now() - startedAt })
    }
    const round = async (): Promise<void> => void (await Promise.all(tenants.map(ask)))
    await round()
    expect(answers.map(({ source }) => source)).toEqual(tenants.map(() => 'redis'))
    await killed.kill()
    answers.length = 0
    // Until the Cluster itself knows of it, and on.
    await waitFor('the others to have marked it as failed', async () => {
      await round()
      return /\bfail\b/.test(String(await cluster.servers[1]!.command('CLUSTER', 'NODES')))
    })
    for (let i = 0; i < 20; i++) await round()
    const there = answers.filter(({ isAway }) => !isAway)
    expect(new Set(there.map(({ source }) => source))).toEqual(new Set(['redis']))
    const away = answers.filter(({ isAway }) => isAway)
    expect(new Set(away.map(({ source, allowed }) => `${source} ${allowed}`))).toEqual(new Set(['local true']))
    expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(LONGEST_MS)
  })
})
