import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Clock } from '../../src/kernel/clock.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import type {
  Ask,
  CounterReply,
  Demand,
  RateLimitAlgorithm,
  RateLimitStore,
} from '../../src/rate-limit/rate-limit-store.js'
import { compileRule } from '../../src/rate-limit/rules.js'
import { MemoryRateLimitStore } from '../../src/rate-limit/stores/memory.js'
import { command } from '../../src/redis/script.js'
import { SCRIPTS } from '../../src/redis/scripts.gen.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { limitHistories, type LimitHistory, type LimitStep } from '../support/limit-history.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

/**
 * The scripts as they are sent, on a real server, but for two things: they read the time from a key, and keys outlive their meaning by an hour
 * instead of a second, for the time of the test is not the server's.
 */
vi.mock('../../src/redis/scripts.gen.js', async (original) => {
  const { defineScript } = await import('../../src/redis/script.js')
  const { SCRIPTS } = await original<typeof import('../../src/redis/scripts.gen.js')>()
  const replaced = Object.values(SCRIPTS).map(({ name, lua }) => [
    name,
    defineScript(
      name,
      lua
        .replaceAll("redis.call('TIME')", "redis.call('MGET', 'test:s', 'test:us')")
        .replaceAll(/\+ 1000\b/g, '+ 3600000'),
    ),
  ])
  return { SCRIPTS: Object.fromEntries(replaced) }
})

const PREFIX = 'vextrus-limits:'
const ALGORITHMS: readonly RateLimitAlgorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']

/** A process whose server's clock shows what the test says. */
let client: Awaited<ReturnType<typeof redisLimitStore>>
let server: RedisServer
let histories = 0

beforeAll(async () => {
  server = await startRedis()
  client = await redisLimitStore({ url: server.url }, PREFIX)
})
afterAll(async () => {
  await client.close()
  await server.stop()
})

/** Goes out at once, before whatever is asked for after it. */
function serverClockIs(us: number): Promise<unknown> {
  const time = ['test:s', Math.floor(us / 1_000_000), 'test:us', us % 1_000_000]
  return client.connection.exec([{ key: 'test:s', commands: [command('MSET', time)] }])
}
/** What was asked in this tick is under way. */
const sent = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

describe('the scripts of limits', () => {
  it('are tested as they are, on a clock of the test', () => {
    for (const name of ['Take', 'Refund', 'Hit', 'Enter', 'Seen'] as const) {
      const { lua } = SCRIPTS[`rateLimit${name}`]
      expect(lua).not.toContain("'TIME'")
      expect(lua.split("redis.call('MGET', 'test:s', 'test:us')")).toHaveLength(2)
      expect(lua.split('+ 3600000')).toHaveLength(2)
    }
  })

  it.each(ALGORITHMS)(
    'count a %s as its definition says, to the µs and up to the largest numbers',
    async (algorithm) => {
      await fc.assert(
        fc.asyncProperty(limitHistories(algorithm), async (history) => {
          expect(await played(history)).toEqual(history.replies)
        }),
        { numRuns: 250 },
      )
    },
  )

  async function played({ spec, steps }: LimitHistory): Promise<(CounterReply | null)[]> {
    const id = `{t}:history${++histories}`
    const replies: Promise<CounterReply | null>[] = []
    for (const step of steps) {
      void serverClockIs(step.nowUs)
      replies.push(done(client.store, step, { id, home: 't', spec, cost: step.cost, most: step.most }))
      await sent()
    }
    return Promise.all(replies)
  }

  async function done(store: RateLimitStore, { does }: LimitStep, part: Ask): Promise<CounterReply | null> {
    if (does === 'take' || does === 'peek') return (await store[does]([part]))[0]!
    await store[does]([part])
    return null
  }
})

describe('the stores of limits on Redis and in memory', () => {
  /** Rules that share counters, in pairs: a limit may be another at the next request. */
  const pairs = ALGORITHMS.flatMap((algorithm) =>
    (['250ms', 700, '90s', '2d'] as const).map((window) =>
      [3, 7].map((limit) => compileRule({ limit, window, algorithm, name: `${algorithm}${window}` })),
    ),
  )
  const part = fc
    .record({
      pair: fc.nat(pairs.length - 1),
      version: fc.nat({ max: 1 }),
      user: fc.constantFrom('a', 'b'),
      cost: fc.integer({ min: 1, max: 4 }),
      more: fc.nat(3),
    })
    .map(({ pair, version, user, cost, more }): Ask => {
      const { spec, counter } = pairs[pair]![version]!
      return { ...counter({ user, tenant: 't' }), spec, cost, most: cost + more }
    })
  const demand: fc.Arbitrary<Demand> = fc.uniqueArray(part, { minLength: 1, maxLength: 4, selector: ({ id }) => id })
  const ms = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 5_000 }))
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.record({ does: fc.constant('take' as const), demand }) },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constantFrom('peek' as const, 'refund' as const, 'reset' as const), demand }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        does: fc.constant('hit' as const),
        request: fc.record({
          id: fc.constantFrom('{t}:hits', '{t}:hits2'),
          by: fc.constantFrom(1, 1, 1, 2, 0, -1),
          windowMs: ms,
          limit: fc.option(fc.nat(3), { nil: undefined }),
          blockMs: fc.option(ms, { nil: undefined }),
        }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        does: fc.constantFrom('enter' as const, 'enter' as const, 'leave' as const),
        place: fc.record({ id: fc.constant('{t}:places'), token: fc.constantFrom('a', 'b', 'c', 'd') }),
        limit: fc.nat(3),
        ttlMs: ms,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        does: fc.constant('seen' as const),
        process: fc.constantFrom('a', 'b', 'c'),
        withinMs: ms,
      }),
    },
  )
  type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never
  /** Some are asked several times over, for the same counters and for others that count alike. */
  const row = fc.tuple(operation, fc.constantFrom(1, 1, 1, 2, 7)).map(([each, times]) => {
    if (each.does !== 'take') return [each]
    const alike = each.demand.map((part) => ({ ...part, id: `${part.id}2` }))
    return Array.from({ length: times }, (_, i) => (i % 3 === 1 ? { ...each, demand: alike } : each))
  })
  /** Seconds and windows later, also an hour later and, when a clock is set, earlier. */
  const gapMs = fc.oneof(
    { weight: 8, arbitrary: fc.nat(400) },
    { weight: 2, arbitrary: fc.nat(100_000) },
    { weight: 1, arbitrary: fc.nat(200_000_000) },
    { weight: 1, arbitrary: fc.integer({ min: -5_000, max: -1 }) },
  )

  it('answer the same, number by number, whatever is asked in one tick, whenever, and by limits that change', async () => {
    const ticks = fc.array(
      fc.record({ gapMs, operations: fc.array(row, { minLength: 1, maxLength: 25 }).map((rows) => rows.flat()) }),
      {
        minLength: 1,
        maxLength: 20,
      },
    )
    await fc.assert(
      fc.asyncProperty(ticks, async (all) => {
        let nowMs = 1_700_000_000_000
        const clock = { mono: () => nowMs } as Clock
        const memory = new MemoryRateLimitStore(new MemoryHub({ clock }), PREFIX)
        // Redis' keys are of this history alone.
        const history = ++histories
        for (const [i, { gapMs, operations }] of all.entries()) {
          nowMs += gapMs
          void serverClockIs(nowMs * 1_000)
          // Looks are served beside takings, in a run of their own.
          const does = operations.some((each) => each.does === 'take') ? 'take' : 'peek'
          const asked = operations.map((each) => (each.does === 'peek' ? { ...each, does } : each) as Operation)
          const onRedis = Promise.all(inTwoTicks(asked).map((each) => answer(client.store, renamed(each, history))))
          const inMemory = await Promise.all(inTwoTicks(asked).map((each) => answer(memory, each)))
          expect(await onRedis, `tick ${i}`).toEqual(inMemory)
        }
        await server.command('DEL', `vextrus-limits@limit:processes`)
      }),
      { numRuns: 60 },
    )
  })

  /** Takings go out at the end of their tick, all else at once. */
  function inTwoTicks(operations: readonly Operation[]): readonly Operation[] {
    const waits = ({ does }: Operation): boolean => does === 'take' || does === 'peek'
    return [...operations.filter((each) => !waits(each)), ...operations.filter(waits)]
  }

  function renamed(operation: Operation, history: number): Operation {
    const rename = <T extends { readonly id: string }>(named: T): T => ({ ...named, id: `${named.id}:${history}` })
    switch (operation.does) {
      case 'hit':
        return { ...operation, request: rename(operation.request) }
      case 'enter':
      case 'leave':
        return { ...operation, place: rename(operation.place) }
      case 'seen':
        return operation
      default:
        return { ...operation, demand: operation.demand.map(rename) }
    }
  }

  function answer(store: RateLimitStore, operation: Operation): Promise<unknown> {
    switch (operation.does) {
      case 'hit':
        return store.hit(operation.request)
      case 'enter':
        return store.enter(operation.place, operation.limit, operation.ttlMs)
      case 'leave':
        return store.leave(operation.place)
      case 'seen':
        return store.seen(operation.process, operation.withinMs)
      default:
        return store[operation.does](operation.demand)
    }
  }
})
