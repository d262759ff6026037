/**
 * What the tests of `express-rate-limit` ask of a store, in words of our own, by HTTP on Express: with its own store, with ours in memory and with
 * ours on a real Redis. Each step's status and headers are the same for all three.
 *
 * - hits are counted per client; beyond the limit 429 with `Retry-After`; counted anew when the window is over
 * - headers of draft 6 and of draft 8; a limit that is a function; a key of one's own; skipped requests
 * - `skipSuccessfulRequests` and `skipFailedRequests` take hits back
 * - `getKey` and `resetKey` of the limiter
 * - two limiters on one request, each with its own counters; no complaint of the library about how the store is used
 *
 * What a store does by itself is in `src/integrations/express-rate-limit.spec.ts`.
 */
import { BadRequestException, Controller, Get, type INestApplication } from '@nestjs/common'
import { ExpressAdapter } from '@nestjs/platform-express'
import { Test } from '@nestjs/testing'
import { type Options, rateLimit, type RateLimitRequestHandler } from 'express-rate-limit'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { RedisRateLimitStore } from '../../src/integrations/express-rate-limit.js'
import { RateLimiterService } from '../../src/rate-limit/rate-limiter.js'
import { type HitBackend, oursInMemory, oursOnRedis, theirOwn, UNIT_S } from '../support/hit-backends.js'
import { httpGet } from '../support/http-get.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

let redis: RedisServer
beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

let app: INestApplication | undefined
let backend: HitBackend | undefined
afterEach(async () => {
  await app?.close()
  await backend?.close()
  app = backend = undefined
})

@Controller()
class Site {
  @Get('good')
  good(): string {
    return 'good'
  }

  @Get('bad')
  bad(): string {
    throw new BadRequestException()
  }
}

async function serve(...limiters: RateLimitRequestHandler[]): Promise<string> {
  const module = await Test.createTestingModule({ controllers: [Site] }).compile()
  app = module.createNestApplication(new ExpressAdapter(), { logger: false })
  for (const limiter of limiters) app.use(limiter)
  await app.listen(0, '127.0.0.1')
  return app.getUrl()
}

const STORES = { 'its own store': theirOwn, 'ours in memory': oursInMemory, 'ours on Redis': () => oursOnRedis(redis) }
const complain = vi.fn()
const byUser: Options['keyGenerator'] = ({ headers }) => String(headers['x-user'] ?? 'nobody')

describe.each(Object.keys(STORES) as (keyof typeof STORES)[])('express-rate-limit with %s', (name) => {
  const begin = async (): Promise<void> => {
    complain.mockReset()
    backend = await STORES[name]()
  }
  /** A window of two units, told by the headers of draft 6, unless said otherwise. */
  const limiter = (options: Partial<Options>, prefix?: string): RateLimitRequestHandler =>
    rateLimit({
      windowMs: 2 * UNIT_S * 1_000,
      standardHeaders: 'draft-6',
      legacyHeaders: false,
      keyGenerator: byUser,
      logger: { error: complain, warn: complain },
      ...(backend!.limiter && { store: new RedisRateLimitStore(backend!.limiter, { prefix }) }),
      ...options,
    })
  /** A status, and what the headers tell: remaining, and times in units. */
  const asked = async (url: string, user = 'a'): Promise<unknown[]> => {
    const { status, headers } = await httpGet(url, { 'x-user': user })
    const times = [headers['ratelimit-reset'], headers['retry-after']].map((text) => text && inUnits(Number(text)))
    return [status, Number(headers['ratelimit-remaining']), ...times]
  }
  const inUnits = (seconds: number): number => backend!.told(seconds) / UNIT_S
  const passed = (remaining: number, reset: number): unknown[] => [200, remaining, reset, undefined]
  const refused = (reset: number): unknown[] => [429, 0, reset, reset]
  const pass = (units: number): Promise<void> => backend!.advance(units * UNIT_S * 1_000)

  it('counts each client, refuses beyond the limit until the window ends, and begins anew', async () => {
    await begin()
    const url = `${await serve(limiter({ limit: 2 }))}/good`
    expect(await asked(url)).toEqual(passed(1, 2))
    await pass(1)
    expect(await asked(url)).toEqual(passed(0, 1))
    expect(await asked(url)).toEqual(refused(1))
    expect(await asked(url, 'b')).toEqual(passed(1, 2))
    await pass(1)
    expect(await asked(url)).toEqual(passed(1, 2))
    expect(await asked(url, 'b')).toEqual(passed(0, 1))
    expect(complain).not.toHaveBeenCalled()
  })

  it('tells all in the headers of draft 8', async () => {
    await begin()
    const url = `${await serve(limiter({ limit: 2, standardHeaders: 'draft-8', identifier: 'site' }))}/good`
    for (const remaining of [1, 0]) {
      const { headers } = await httpGet(url)
      const [, left, seconds] = /^"site"; r=(\d+); t=(\d+)$/.exec(String(headers['ratelimit'])) ?? []
      expect([Number(left), inUnits(Number(seconds))]).toEqual([remaining, 2])
    }
    expect((await httpGet(url)).status).toBe(429)
    expect(complain).not.toHaveBeenCalled()
  })

  it('knows limits that are functions, and skips what it is told to', async () => {
    await begin()
    const limit: Options['limit'] = ({ headers }) => (headers['x-user'] === 'large' ? 2 : 1)
    const url = await serve(limiter({ limit, skip: ({ path }) => path === '/bad' }))
    for (let i = 0; i < 3; i++) expect((await asked(`${url}/bad`))[0]).toBe(400)
    expect(await asked(`${url}/good`)).toEqual(passed(0, 2))
    expect(await asked(`${url}/good`)).toEqual(refused(2))
    for (const remaining of [1, 0]) expect(await asked(`${url}/good`, 'large')).toEqual(passed(remaining, 2))
    expect(await asked(`${url}/good`, 'large')).toEqual(refused(2))
  })

  it.each([
    ['skipSuccessfulRequests', '/good', '/bad'],
    ['skipFailedRequests', '/bad', '/good'],
  ] as const)('%s takes hits back', async (option, free, counted) => {
    await begin()
    const limited = limiter({ limit: 2, [option]: true })
    const url = await serve(limited)
    for (let i = 0; i < 3; i++) {
      expect((await asked(url + free))[1]).toBe(1)
      // It is taken back after the response.
      await waitFor('the hit to be taken back', async () => ((await limited.getKey('a'))?.totalHits ?? 0) === 0)
    }
    for (const remaining of [1, 0]) expect((await asked(url + counted))[1]).toBe(remaining)
    expect(await limited.getKey('a')).toMatchObject({ totalHits: 2 })
    expect((await asked(url + counted))[0]).toBe(429)
  })

  it('tells how a client stands, and forgets it', async () => {
    await begin()
    const limited = limiter({ limit: 1 })
    const url = `${await serve(limited)}/good`
    expect(await limited.getKey('a')).toBeUndefined()
    for (const status of [200, 429]) expect((await asked(url))[0]).toBe(status)
    expect(await limited.getKey('a')).toMatchObject({ totalHits: 2, resetTime: expect.any(Date) as Date })
    // Typed as one that answers nothing; what a store answers comes through.
    await (limited.resetKey('a') as unknown)
    expect(await limited.getKey('a')).toBeUndefined()
    expect(await asked(url)).toEqual(passed(0, 2))
  })

  it('two limiters on one request count apart', async () => {
    await begin()
    const long = limiter({ limit: 3, windowMs: 4 * UNIT_S * 1_000 })
    const url = `${await serve(long, limiter({ limit: 1 }), limiter({ limit: 2 }, 'third:'))}/good`
    expect(await asked(url)).toEqual(passed(1, 2))
    expect(await asked(url)).toEqual(refused(2))
    await pass(2)
    expect(await asked(url)).toEqual(passed(1, 2))
    // The longest refuses.
    expect(await asked(url)).toEqual(refused(2))
    expect(complain).not.toHaveBeenCalled()
  })
})

it('a request is answered while Redis is killed, and limited by this process', async () => {
  const server = await startRedis()
  const { store, close } = await redisLimitStore({ url: server.url }, 'killed:')
  const limiter = new RateLimiterService(() => store, { instances: 2 })
  try {
    const limited = rateLimit({ limit: 4, keyGenerator: byUser, store: new RedisRateLimitStore(limiter) })
    const url = `${await serve(limited)}/good`
    expect((await httpGet(url)).status).toBe(200)
    await server.kill()
    for (const status of [200, 200, 429]) expect((await httpGet(url)).status).toBe(status)
  } finally {
    await limiter.close()
    await close()
    await server.stop()
  }
})
