import { afterEach, describe, expect, it } from 'vitest'
import { FakePort } from '../../test/support/fake-dedicated.js'
import { type LimitProcess, LimitWorld, MemoryClock } from '../../test/support/limit-world.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { pause } from '../kernel/clock.js'
import { RedisUnavailableError } from '../redis/errors.js'
import { Keyspace } from '../redis/keyspace.js'
import type { Shard, Topology, UnitOutcome } from '../redis/topology.js'
import { rateLimitUnavailable } from './events.js'
import type { RateLimiterOptions } from './options.js'
import type { OnUnavailable, RateLimitRule } from './public-types.js'
import { RateLimiterService } from './rate-limiter.js'
import { RedisRateLimitStore } from './stores/redis.js'

const IDS = { tenant: 't', user: 'ann' }
const rule = (onUnavailable: OnUnavailable, limit = 10, name: string = onUnavailable): RateLimitRule => ({
  ...{ name, limit, window: '1m', algorithm: 'fixed-window', onUnavailable },
})

describe('while the store is away', () => {
  const away = (options: RateLimiterOptions = { instances: 1 }): LimitProcess & { world: LimitWorld } => {
    const world = new LimitWorld()
    const process = world.process(options)
    process.store.always = 'unsent'
    return { world, ...process }
  }

  it('each rule decides by its policy, and the answer says who decided', async () => {
    const { limiter } = away()
    expect(await limiter.consume([rule('allow', 0)], IDS)).toEqual({
      allowed: true,
      rules: [{ name: 'allow', limit: 0, windowMs: 60_000, remaining: 0, retryAfterMs: 0, resetMs: 0, allowed: true }],
      source: 'unavailable',
      retryAfterMs: 0,
    })
    expect(await limiter.consume([rule('deny')], IDS)).toEqual({
      allowed: false,
      rules: [
        {
          name: 'deny',
          limit: 10,
          windowMs: 60_000,
          remaining: 0,
          retryAfterMs: 1_000,
          resetMs: 1_000,
          allowed: false,
        },
      ],
      source: 'unavailable',
      retryAfterMs: 1_000,
    })
    expect(await limiter.consume([rule('local')], IDS, 4)).toEqual({
      allowed: true,
      rules: [
        { name: 'local', limit: 10, windowMs: 60_000, remaining: 6, retryAfterMs: 0, resetMs: 60_000, allowed: true },
      ],
      source: 'local',
      retryAfterMs: 0,
    })
  })

  it('several rules are one decision: what one refuses, the local ones don’t spend', async () => {
    const { limiter } = away()
    const left = async (): Promise<number> =>
      (await limiter.consume([rule('local'), rule('deny')], IDS)).rules[0]!.remaining
    expect(await left()).toBe(10)
    expect(await left()).toBe(10)
    expect(await limiter.consume([rule('local'), rule('deny'), rule('allow')], IDS)).toMatchObject({
      allowed: false,
      source: 'local',
      rules: [{ allowed: true }, { allowed: false }, { allowed: true }],
    })
    expect(await limiter.consume([rule('local'), rule('local', 0, 'none')], IDS)).toMatchObject({ allowed: false })
    expect(await limiter.consume([rule('local'), rule('allow', 0)], IDS)).toMatchObject({
      allowed: true,
      rules: [{ remaining: 9 }, {}],
    })
  })

  it('a limit of this process is the limit divided by the processes, at least 1, and 0 stays 0', async () => {
    const passes = async (limit: number, instances: number): Promise<number> => {
      const { limiter } = away({ instances })
      let passed = 0
      for (let i = 0; i < 30; i++) if ((await limiter.consume([rule('local', limit)], IDS)).allowed) passed++
      return passed
    }
    expect(await passes(10, 1)).toBe(10)
    expect(await passes(10, 3)).toBe(3)
    expect(await passes(2, 3)).toBe(1)
    expect(await passes(0, 3)).toBe(0)
  })

  it('a bucket is divided with its burst', async () => {
    const { world, limiter } = away({ instances: 2 })
    const bucket: RateLimitRule = { name: 'bucket', limit: 10, burst: 4, window: '10s' }
    const passes = async (): Promise<number> => {
      let passed = 0
      for (let i = 0; i < 20; i++) if ((await limiter.consume([bucket], IDS)).allowed) passed++
      return passed
    }
    expect(await passes()).toBe(2)
    await world.clock.advance(2_000)
    expect(await passes()).toBe(1)
  })

  it('the processes are those that were seen last', async () => {
    const world = new LimitWorld()
    const all = [world.process(), world.process(), world.process()]
    for (const { limiter } of all) await limiter.consume([], {})
    await world.clock.advance(2_000)
    for (const { store } of all) store.always = 'unsent'
    await world.clock.advance('1h')
    let passed = 0
    for (const { limiter } of all) {
      for (let i = 0; i < 20; i++) if ((await limiter.consume([rule('local', 9)], IDS)).allowed) passed++
    }
    expect(passed).toBe(9)
  })

  it('users, tenants and rules are apart, as they are in the store', async () => {
    const { limiter } = away()
    const one = rule('local', 1)
    for (const ids of [IDS, { ...IDS, user: 'bob' }, { ...IDS, tenant: 'other' }]) {
      expect(await limiter.consume([one], ids)).toMatchObject({ allowed: true })
      expect(await limiter.consume([one], ids)).toMatchObject({ allowed: false, source: 'local' })
      expect(await limiter.consume([rule('local', 1, 'other')], ids)).toMatchObject({ allowed: true })
    }
  })

  it('limits of all tenants are decided like others', async () => {
    const { limiter } = away({ instances: 2 })
    const global: RateLimitRule = { ...rule('local', 4, 'all'), scope: 'global' }
    const results = []
    for (let i = 0; i < 3; i++) results.push((await limiter.consume([global, rule('local')], IDS)).allowed)
    expect(results).toEqual([true, true, false])
  })

  it('a warning comes once a minute at most, an event each time', async () => {
    const { world, limiter, warnings } = away()
    let events = 0
    const stop = rateLimitUnavailable.subscribe(() => events++)
    try {
      for (let i = 0; i < 10; i++) await limiter.consume([rule('local')], IDS)
      await world.clock.advance(59_999)
      await limiter.consume([rule('deny')], IDS)
      expect(warnings).toEqual([
        'requests are limited without Redis, each rule by its onUnavailable: the test let nothing through',
      ])
      await world.clock.advance(1)
      await limiter.consume([rule('allow')], IDS)
      expect(warnings).toHaveLength(2)
      expect(events).toBe(12)
    } finally {
      stop()
    }
  })

  it('what has nothing to fall back to says so', async () => {
    const { limiter } = away()
    const unavailable = { code: 'RATE_LIMIT_UNAVAILABLE' }
    await expect(limiter.peek([rule('local')], IDS)).rejects.toMatchObject(unavailable)
    await expect(limiter.refund([rule('local')], IDS)).rejects.toMatchObject(unavailable)
    await expect(limiter.reset([rule('local')], IDS)).rejects.toMatchObject(unavailable)
    await expect(limiter.planChanged('t')).rejects.toMatchObject(unavailable)
  })

  it('closing does not reject, and what is asked after it is decided', async () => {
    const { limiter } = away()
    await limiter.consume([rule('local')], IDS)
    await limiter.close()
    expect(await limiter.consume([rule('local')], IDS)).toMatchObject({ source: 'local' })
  })

  it('and back, it decides again', async () => {
    const { limiter, store } = away()
    await limiter.consume([rule('local', 1)], IDS)
    expect(await limiter.consume([rule('local', 1)], IDS)).toMatchObject({ allowed: false })
    store.always = undefined
    expect(await limiter.consume([rule('local', 1)], IDS)).toMatchObject({ allowed: true, source: 'redis' })
  })
})

describe('a decision that waits for several things', () => {
  it('has the timeout for all of them together: for a plan and the store', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process({ plan: () => new Promise(() => undefined) })
    store.always = { replyMs: 60 }
    expect(await decidedAfter(world, () => limiter.consume([rule('deny')], IDS))).toEqual([81, 'unavailable'])
    // Nobody waits for the plan any more.
    expect(await decidedAfter(world, () => limiter.consume([rule('deny')], IDS))).toEqual([60, 'redis'])
  })

  it('and for units of all tenants and the tenant’s own', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process()
    const rules: RateLimitRule[] = [{ ...rule('local', 10, 'all'), scope: 'global', lease: 1 }, rule('local')]
    store.always = { replyMs: 60 }
    expect(await decidedAfter(world, () => limiter.consume(rules, IDS))).toEqual([81, 'local'])
    store.always = { replyMs: 30 }
    expect(await decidedAfter(world, () => limiter.consume(rules, IDS))).toEqual([60, 'redis'])
  })

  it('is no outage because the process was blocked, when the answer lies there', async () => {
    const world = new LimitWorld()
    const { limiter, store } = world.process()
    store.always = { replyMs: 80.5 }
    const shared: RateLimitRule = { ...rule('deny', 10, 'all'), scope: 'global', lease: 1 }
    expect(await decidedAfter(world, () => limiter.consume([shared], IDS))).toEqual([80.5, 'redis'])
  })

  async function decidedAfter(
    { clock }: LimitWorld,
    decide: () => ReturnType<RateLimiterService['consume']>,
  ): Promise<[ms: number, source: string]> {
    const start = clock.mono()
    let end: [number, string] | undefined
    void decide().then(({ source }) => (end = [clock.mono() - start, source]))
    await clock.advance(1_000)
    return end!
  }
})

describe('a server that hangs', () => {
  const stops: (() => void)[] = []
  afterEach(() => {
    for (const stop of stops.splice(0)) stop()
  })

  /** A server that answers nothing, which the connection notices by its own `commandTimeout`; and then all. */
  const hanging = (): { clock: MemoryClock; server: { well: boolean; sent: number }; limiter: RateLimiterService } => {
    const clock = new MemoryClock()
    const shard: Shard = {
      id: 'a',
      session: undefined,
      exec: async () => Promise.reject(new Error('nobody asks')),
      serverNow: () => undefined,
    }
    const server = { well: false, sent: 0 }
    const answer: UnitOutcome = {
      replies: [[1, 9, 0, 1_000]],
      ...{ session: { epoch: 'e', runId: 'r' }, shard, redirected: false },
    }
    const topology: Topology = {
      sharded: false,
      shardOf: () => shard,
      shards: () => [shard],
      layout: async () => ({ slots: '', migrating: false }),
      exec: (units) => {
        server.sent++
        if (server.well) return Promise.resolve(units.map(() => answer))
        return pause(clock, 500).then(() => units.map(() => new RedisUnavailableError('a', 'deadline')))
      },
    }
    const options = { timeoutMs: 80, warn: () => undefined, clock, random: new SeededRandom(1) }
    const store = new RedisRateLimitStore(topology, new FakePort(), new Keyspace('vextrus:'), options)
    const limiter = new RateLimiterService(() => store, { instances: 2, denyCache: false }, { clock })
    stops.push(() => store.close())
    return { clock, server, limiter }
  }

  it('is waited for once, for the timeout; then decisions come at once, and nothing more is sent', async () => {
    const { clock, server, limiter } = hanging()
    const results: object[] = []
    for (let i = 0; i < 5; i++) void limiter.consume([rule('local')], IDS).then((result) => results.push(result))
    await clock.advance(80)
    expect(results).toEqual([])
    await clock.advance(1)
    expect(results).toHaveLength(5)
    expect(results[0]).toMatchObject({ allowed: true, source: 'local' })
    server.sent = 0
    // No time passes for these.
    for (let i = 0; i < 5; i++) expect(await limiter.consume([rule('local')], IDS)).toMatchObject({ source: 'local' })
    expect(await limiter.consume([rule('deny')], IDS)).toMatchObject({ allowed: false, source: 'unavailable' })
    expect(server.sent).toBe(0)
  })

  it('is asked again as soon as it has answered a probe', async () => {
    const { clock, server, limiter } = hanging()
    void limiter.consume([rule('local')], IDS)
    await clock.advance(1_000)
    server.well = true
    expect(await limiter.consume([rule('local')], IDS)).toMatchObject({ source: 'local' })
    await clock.advance(601)
    expect(await limiter.consume([rule('local')], IDS)).toMatchObject({ source: 'redis' })
  })
})
