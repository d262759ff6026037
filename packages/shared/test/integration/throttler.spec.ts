/**
 * What the end-to-end tests of `@nestjs/throttler` show, in words of our own, on Express and Fastify: with its own storage, with ours in memory and
 * with ours on a real Redis. Each step's status and headers are the same for all three.
 *
 * - a skipped route and an ignored user agent: not counted, no headers
 * - `Limit`, `Remaining` and `Reset` of a class's limit, of a method's in its place, and of the module's
 * - 429 beyond the limit, with `Retry-After` and nothing else; counted anew after the block; the window over before the limit is reached
 * - blocks shorter and longer than the window, none (`blockDuration: 0`), and a limit of 0
 * - `skipIf`; limits as functions; a tracker of one's own; `setHeaders: false`
 * - several named limits: the headers of each, each refuses for itself, some of them skipped on a route
 * - counters apart for each route, or together by a key generator of one's own
 * - a message of one's own, which is told of the client and its hits
 */
import { Global, type INestApplication, Module } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisThrottlerStorage, type RedisThrottlerStorageOptions } from '../../src/integrations/throttler.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { RedisCacheModule } from '../../src/module/redis-cache.module.js'
import { RateLimiterService } from '../../src/rate-limit/rate-limiter.js'
import { type HitBackend, oursInMemory, oursOnRedis, theirOwn, UNIT_S } from '../support/hit-backends.js'
import { httpGet } from '../support/http-get.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { LimitWorld } from '../support/limit-world.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import {
  functions,
  levels,
  several,
  silent,
  skippedAlways,
  type Throttled,
  units,
} from '../support/throttled-controllers.js'

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

const PLATFORMS = { Express: () => new ExpressAdapter(), Fastify: () => new FastifyAdapter() }
const STORAGES = {
  'its own storage': theirOwn,
  'ours in memory': oursInMemory,
  'ours on Redis': () => oursOnRedis(redis),
}

/** As users write it: the storage stands on the limiter that the module offers. */
async function serve(
  { options, controllers }: Throttled,
  platform: keyof typeof PLATFORMS,
  limiter?: RateLimiterService,
  storageOptions?: RedisThrottlerStorageOptions,
): Promise<string> {
  class Limits {}
  Global()(Limits)
  const offered = { provide: RateLimiterService, useValue: limiter }
  Module({ providers: [offered], exports: [RateLimiterService] })(Limits)
  const throttler = ThrottlerModule.forRootAsync({
    inject: [RateLimiterService],
    // The throttler sorts the list that it is given.
    useFactory: (given: RateLimiterService | undefined) => ({
      ...options,
      throttlers: [...options.throttlers],
      ...(given && { storage: new RedisThrottlerStorage(given, storageOptions) }),
    }),
  })
  const providers = [{ provide: APP_GUARD, useClass: ThrottlerGuard }]
  const module = await Test.createTestingModule({ imports: [Limits, throttler], controllers, providers }).compile()
  app = module.createNestApplication(PLATFORMS[platform](), { logger: false })
  await app.listen(0, '127.0.0.1')
  return app.getUrl()
}

/** Times in units. */
const quota = (limit: number, remaining: number, reset: number, name = ''): Record<string, number> => {
  const suffix = name && `-${name}`
  return {
    [`x-ratelimit-limit${suffix}`]: limit,
    [`x-ratelimit-remaining${suffix}`]: remaining,
    [`x-ratelimit-reset${suffix}`]: reset * UNIT_S,
  }
}
const passed = (...quotas: Record<string, number>[]) => ({ status: 200, told: Object.assign({}, ...quotas) as unknown })
const refused = (retryAfter: number, name = '', ...quotas: Record<string, number>[]) => ({
  status: 429,
  told: Object.assign({ [`retry-after${name && `-${name}`}`]: retryAfter * UNIT_S }, ...quotas) as unknown,
})

describe.each(Object.keys(PLATFORMS) as (keyof typeof PLATFORMS)[])('the throttler on %s', (platform) => {
  describe.each(Object.keys(STORAGES) as (keyof typeof STORAGES)[])('with %s', (name) => {
    const isOurs = name !== 'its own storage'
    let url: string
    const begin = async (throttled: Throttled): Promise<void> => {
      backend = await STORAGES[name]()
      url = await serve(throttled, platform, backend.limiter)
    }
    /** A status, and all that the headers tell of limits. */
    const asked = async (
      path: string,
      headers?: Record<string, string>,
    ): Promise<{ status: number; told: unknown }> => {
      const answer = await httpGet(url + path, headers)
      const told = Object.entries(answer.headers).filter(([header]) => /^(x-ratelimit|retry-after)/.test(header))
      const read = ([header, value]: (typeof told)[number]): [string, number] => [
        header,
        /remaining|limit-limit/.test(header) ? Number(value) : backend!.told(Number(value)),
      ]
      return { status: answer.status, told: Object.fromEntries(told.map(read)) }
    }
    const pass = (howMany: number): Promise<void> => backend!.advance(units(howMany))

    it('counts neither skipped routes nor ignored user agents', async () => {
      await begin(levels)
      for (let i = 0; i < 3; i++) expect(await asked('/own/skipped')).toEqual(passed())
      for (let i = 0; i < 3; i++) {
        expect(await asked('/own', { 'user-agent': 'health-check/1.0' })).toEqual(passed())
      }
      expect(await asked('/own')).toEqual(passed(quota(2, 1, 2)))
    })

    it('counts by the limit of the class, and begins anew when the window is over', async () => {
      await begin(levels)
      expect(await asked('/own')).toEqual(passed(quota(2, 1, 2)))
      await pass(1)
      expect(await asked('/own')).toEqual(passed(quota(2, 0, 1)))
      await pass(3)
      expect(await asked('/own')).toEqual(passed(quota(2, 1, 2)))
      expect(await asked('/own')).toEqual(passed(quota(2, 0, 2)))
      // The block is the module's.
      expect(await asked('/own')).toEqual(refused(4))
      await pass(1)
      expect(await asked('/own')).toEqual(refused(3))
      await pass(3)
      expect(await asked('/own')).toEqual(passed(quota(2, 1, 2)))
    })

    it('a block that is shorter than the window is over when it says so, and what it was for is forgotten', async () => {
      await begin(levels)
      expect(await asked('/own/short-block')).toEqual(passed(quota(2, 1, 2)))
      expect(await asked('/own/short-block')).toEqual(passed(quota(2, 0, 2)))
      expect(await asked('/own/short-block')).toEqual(refused(1))
      expect(await asked('/own/short-block')).toEqual(refused(1))
      await pass(1)
      // The hit counts for a window from now; its own storage tells the end of the one that began before the block.
      const ends = isOurs ? 2 : 1
      expect(await asked('/own/short-block')).toEqual(passed(quota(2, 1, ends)))
      expect(await asked('/own/short-block')).toEqual(passed(quota(2, 0, ends)))
      expect(await asked('/own/short-block')).toEqual(refused(1))
    })

    it('a block that is longer than the window holds until its end, whatever is asked meanwhile', async () => {
      await begin(levels)
      for (const remaining of [2, 1, 0]) expect(await asked('/own/long-block')).toEqual(passed(quota(3, remaining, 2)))
      expect(await asked('/own/long-block')).toEqual(refused(3))
      await pass(1)
      expect(await asked('/own/long-block')).toEqual(refused(2))
      await pass(2)
      for (const remaining of [2, 1, 0]) expect(await asked('/own/long-block')).toEqual(passed(quota(3, remaining, 2)))
    })

    it('without a block refuses until the window ends', async () => {
      await begin(levels)
      for (const remaining of [1, 0]) expect(await asked('/own/no-block')).toEqual(passed(quota(2, remaining, 2)))
      expect(await asked('/own/no-block')).toEqual(refused(2))
      await pass(1)
      expect(await asked('/own/no-block')).toEqual(refused(1))
      await pass(1)
      expect(await asked('/own/no-block')).toEqual(passed(quota(2, 1, 2)))
    })

    it('a limit of 0 refuses all', async () => {
      await begin(levels)
      expect(await asked('/own/none')).toEqual(refused(2))
      expect(await asked('/own/none')).toEqual(refused(2))
    })

    it('counts by the limit of the module where nothing else is said', async () => {
      await begin(levels)
      for (const remaining of [4, 3, 2, 1, 0]) expect(await asked('/default')).toEqual(passed(quota(5, remaining, 3)))
      expect(await asked('/default')).toEqual(refused(4))
      await pass(4)
      expect(await asked('/default')).toEqual(passed(quota(5, 4, 3)))
    })

    it('counts nothing where skipIf says so', async () => {
      await begin(skippedAlways)
      for (let i = 0; i < 5; i++) expect(await asked('/default')).toEqual(passed())
    })

    it('counts each client by itself, by a limit that is a function, and tells nothing when no headers are wanted', async () => {
      await begin(silent)
      const small = { 'x-user': 'a' }
      const large = { 'x-user': 'b', 'x-plan': 'large' }
      expect(await asked('/default', small)).toEqual(passed())
      expect(await asked('/default', small)).toEqual({ status: 429, told: {} })
      for (let i = 0; i < 3; i++) expect(await asked('/default', large)).toEqual(passed())
      expect(await asked('/default', large)).toEqual({ status: 429, told: {} })
      await pass(1)
      expect(await asked('/default', small)).toEqual(passed())
    })

    it('of several limits each refuses for itself, and what one refuses the longer ones do not count', async () => {
      await begin(several)
      const [short, longest] = [quota(1, 0, 1, 'short'), 3_600 / UNIT_S]
      const long = (remaining: number, passedUnits: number): Record<string, number> =>
        quota(5, remaining, longest - passedUnits, 'long')
      expect(await asked('/several')).toEqual(passed(short, quota(2, 1, 5), long(4, 0)))
      expect(await asked('/several')).toEqual(refused(1, 'short'))
      await pass(1)
      expect(await asked('/several')).toEqual(passed(short, quota(2, 0, 4), long(3, 1)))
      await pass(1)
      expect(await asked('/several')).toEqual(refused(5, '', short))
      await pass(5)
      expect(await asked('/several')).toEqual(passed(short, quota(2, 1, 5), long(2, 7)))
      await pass(1)
      expect(await asked('/several')).toEqual(passed(short, quota(2, 0, 4), long(1, 8)))
      await pass(5)
      expect(await asked('/several')).toEqual(passed(short, quota(2, 1, 5), long(0, 13)))
      await pass(1)
      expect(await asked('/several')).toEqual(refused(longest, 'long', short, quota(2, 0, 4)))
    })

    it('leaves out those of several limits that a route skips', async () => {
      await begin(several)
      for (const remaining of [1, 0]) {
        const long = quota(5, remaining + 3, 3_600 / UNIT_S, 'long')
        expect(await asked('/several/without-short')).toEqual(passed(quota(2, remaining, 5), long))
      }
      expect(await asked('/several/short-alone')).toEqual(passed(quota(1, 0, 1, 'short')))
    })

    it('counts routes apart, or together by a key of their own', async () => {
      await begin(functions)
      expect(await asked('/keys/one')).toEqual(passed(quota(2, 1, 1)))
      expect(await asked('/keys/other')).toEqual(passed(quota(2, 1, 1)))
      expect(await asked('/keys/one')).toEqual(passed(quota(2, 0, 1)))
      expect(await asked('/keys/one')).toEqual(refused(1))
      expect(await asked('/keys/other')).toEqual(passed(quota(2, 0, 1)))

      expect(await asked('/keys/shared/one')).toEqual(passed(quota(2, 1, 1, 'shared')))
      expect(await asked('/keys/shared/other')).toEqual(passed(quota(2, 0, 1, 'shared')))
      for (const route of ['one', 'other']) {
        expect(await asked(`/keys/shared/${route}`)).toEqual(refused(1, 'shared'))
      }
      await pass(1)
      expect(await asked('/keys/one')).toEqual(passed(quota(2, 1, 1)))
      expect(await asked('/keys/shared/other')).toEqual(passed(quota(2, 1, 1, 'shared')))
    })

    it('tells a message of its own of the client and its hits', async () => {
      await begin(functions)
      for (let i = 0; i < 2; i++) await asked('/keys/one')
      for (let i = 0; i < 2; i++) {
        const { status, body } = await httpGet(`${url}/keys/one`)
        expect({ status, ...(JSON.parse(body) as object) }).toMatchObject({
          status: 429,
          message: 'Keys.one 127.0.0.1 3/2 true',
        })
      }
    })
  })

  it('stands on the limiter that the module of the toolkit offers, which counts for several applications', async () => {
    const memory = new MemoryHub()
    const serveOne = async (): Promise<[INestApplication, string]> => {
      const throttler = ThrottlerModule.forRootAsync({
        inject: [RateLimiterService],
        useFactory: (limiter: RateLimiterService) => ({
          ...several.options,
          storage: new RedisThrottlerStorage(limiter),
        }),
      })
      const imports = [RedisCacheModule.forRoot({ driver: 'memory', memory }), throttler]
      const providers = [{ provide: APP_GUARD, useClass: ThrottlerGuard }]
      const module = await Test.createTestingModule({ imports, providers, controllers: several.controllers }).compile()
      const one = module.createNestApplication(PLATFORMS[platform](), { logger: false })
      await one.listen(0, '127.0.0.1')
      return [one, await one.getUrl()]
    }
    const served = [await serveOne(), await serveOne()]
    const statuses: number[] = []
    for (const [, url] of [...served, ...served]) {
      statuses.push((await httpGet(`${url}/several/without-short`)).status)
    }
    await Promise.all(served.map(([one]) => one.close()))
    expect(statuses).toEqual([200, 200, 429, 429])
  })

  it('is no 500 while Redis is away: each process counts by itself, or refuses, or lets pass', async () => {
    const world = new LimitWorld()
    for (const [onUnavailable, statuses] of [
      [undefined, [200, 200, 429, 429]],
      ['deny', [429, 429, 429, 429]],
      ['allow', [200, 200, 200, 200]],
    ] as const) {
      const { limiter, store } = world.process()
      store.always = 'unsent'
      const url = await serve(levels, platform, limiter, { onUnavailable })
      for (const status of statuses) expect((await httpGet(`${url}/own`)).status).toBe(status)
      await app!.close()
    }
  })
})

it('processes count together; when their Redis is killed each goes on by itself', async () => {
  const server = await startRedis()
  const clients = [
    await redisLimitStore({ url: server.url }, 'two:'),
    await redisLimitStore({ url: server.url }, 'two:'),
  ]
  try {
    const limiters = clients.map(({ store }) => new RateLimiterService(() => store, { instances: 2 }))
    const storages = limiters.map((limiter) => new RedisThrottlerStorage(limiter))
    const hit = (process: number, key: string) => storages[process]!.increment(key, 60_000, 4, 0, 'default')
    const together = [await hit(0, 'a'), await hit(1, 'a'), await hit(0, 'a'), await hit(1, 'a'), await hit(0, 'a')]
    expect(together.map(({ totalHits }) => totalHits)).toEqual([1, 2, 3, 4, 5])
    expect(together.map(({ isBlocked }) => isBlocked)).toEqual([false, false, false, false, true])

    await server.kill()
    for (const process of [0, 1]) {
      const alone = [await hit(process, 'b'), await hit(process, 'b'), await hit(process, 'b')]
      expect(alone.map(({ isBlocked }) => isBlocked)).toEqual([false, false, true])
    }
    await Promise.all(limiters.map((limiter) => limiter.close()))
  } finally {
    await Promise.all(clients.map(({ close }) => close()))
    await server.stop()
  }
})
