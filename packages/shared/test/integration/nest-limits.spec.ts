import { Controller, Injectable, Logger, Module, type OnModuleDestroy, type Type, UseGuards } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { RedisLockService } from '../../src/lock/index.js'
import {
  InjectVextrus,
  RedisCacheModule,
  type RedisCacheModuleOptions,
  RedisConnection,
  RedisUnavailableError,
} from '../../src/module/cache-entry.js'
import { type RateLimitRule, RateLimiterService, RateLimitUnavailableError } from '../../src/rate-limit/index.js'
import { RateLimitGuard } from '../../src/rate-limit/nest/rate-limit.guard.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** A module in which something injects these services. */
function injecting(...services: Type[]): Type {
  class Consumer {
    constructor(readonly service: unknown) {}
  }
  Injectable()(Consumer)
  Reflect.defineMetadata('design:paramtypes', services, Consumer)
  class ConsumerModule {}
  Module({ providers: [Consumer] })(ConsumerModule)
  return ConsumerModule
}

const LIMITED = injecting(RateLimiterService)

@Module({ providers: [{ provide: APP_GUARD, useClass: RateLimitGuard }] })
class GuardedModule {}

@Controller()
@UseGuards(RateLimitGuard)
class Orders {}
@Module({ controllers: [Orders] })
class OrdersModule {}

let logged: string[]
const apps: { close(): Promise<void> }[] = []

async function boot(...imports: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>) {
  const app = await Test.createTestingModule({ imports }).compile()
  apps.push(app)
  return app.init()
}

const root = (options: RedisCacheModuleOptions & { name?: string }) => RedisCacheModule.forRoot(options)

const closeAll = async (): Promise<void> => {
  for (const app of apps.splice(0)) await app.close()
}

/** The names of the connections that this server has, without the one that asks. */
async function connections(server: RedisServer): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
    .trim()
    .split('\n')
  return list.filter((line) => !line.includes('cmd=client')).map((line) => / name=(\S*)/.exec(line)?.[1] ?? '')
}

const limitKeys = async (server: RedisServer): Promise<string[]> =>
  ((await server.command('SCAN', '0', 'MATCH', '*@limit:{*', 'COUNT', '1000')) as [string, string[]])[1].sort()

const sockets = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length

const warnings = (text: RegExp) => logged.filter((line) => text.test(line))

/** A machine that is busy answers late, and these tests are not about that: what is not answered by then is decided elsewhere. */
const rateLimit = { timeout: '5s' } as const

/** For each test its own counters. */
const rules = (name: string, more: Partial<RateLimitRule> = {}): readonly RateLimitRule[] => [
  { name, limit: 2, window: '1h', ...more },
]
const ids = { user: 'u1', tenant: 't1' }

beforeEach(() => {
  logged = []
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void logged.push(message))
})
afterEach(async () => {
  await closeAll()
  vi.restoreAllMocks()
})

describe('rate limits of an application with Redis', () => {
  let server: RedisServer
  let at: RedisCacheModuleOptions
  beforeAll(async () => {
    server = await startRedis()
    at = { host: server.host, port: server.port, commandTimeout: '10s', rateLimit }
  })
  beforeEach(() => waitFor('the end of what ran before', async () => (await connections(server)).length === 0))
  afterAll(() => server.stop())

  it.each([
    ['RateLimiterService', LIMITED],
    ['RateLimitGuard as APP_GUARD', GuardedModule],
    ['@UseGuards(RateLimitGuard)', OrdersModule],
  ])('are connected before it serves where something injects or needs them: %s', async (_, module) => {
    const app = await boot(root(at), module)
    expect(app.get(RedisConnection).status).toBe('ready')
    // The data connection: news are nothing to who has not limited yet.
    expect(await connections(server)).toHaveLength(1)
    expect(logged).toEqual([])
  })

  it('open no connection that nobody injects, and connect at the first call otherwise', async () => {
    const app = await boot(root(at))
    expect(app.get(RedisConnection).status).toBe('idle')
    expect(await connections(server)).toEqual([])
    const { allowed, source } = await app.get(RateLimiterService).consume(rules('late'), ids)
    expect([allowed, source]).toEqual([true, 'redis'])
    await waitFor('the news', async () => (await connections(server)).includes('vextrus-limits'))
    expect(await connections(server)).toHaveLength(2)
  })

  it('count together with other applications, and live beside the cache', async () => {
    const [one, two] = [await boot(root(at), LIMITED), await boot(root(at), LIMITED)]
    const consume = async (app: typeof one) => app.get(RateLimiterService).consume(rules('both'), ids)
    const spent = [await consume(one), await consume(two), await consume(one), await consume(two)]
    expect(spent.map(({ allowed, rules: [rule] }) => [allowed, rule!.remaining])).toEqual([
      ...[[true, 1], [true, 0], [false, 0], [false, 0]], // prettier-ignore
    ])
    expect(await limitKeys(server)).toContain('vextrus@limit:{t1}:b3600000:both:user:u1')
    await two.get(RateLimiterService).reset(rules('both'), ids)
    await waitFor('the news of the reset', async () => (await consume(one)).allowed)
  })

  it('live on the connection that `use.rateLimit` names, under its prefix, and open no other', async () => {
    const limitsAt = await startRedis()
    try {
      const limits = { host: limitsAt.host, port: limitsAt.port, commandTimeout: '10s', keyPrefix: 'limits:' }
      const app = await boot(
        root({ ...at, use: { rateLimit: 'limits' } }),
        root({ ...limits, rateLimit, name: 'limits' }),
        LIMITED,
      )
      expect(app.get(RedisConnection).status).toBe('idle')
      expect(app.get<RedisConnection>('RedisConnection@limits').status).toBe('ready')
      await app.get(RateLimiterService).consume(rules('away'), ids)
      expect(await limitKeys(limitsAt)).toEqual(['limits@limit:{t1}:b3600000:away:user:u1'])
      const there = app.get<RateLimiterService>('RateLimiterService@limits')
      expect((await there.peek(rules('away'), ids)).rules[0]!.remaining).toBe(1)
      expect(await connections(server)).toEqual([])
    } finally {
      await closeAll()
      await limitsAt.stop()
    }
  })

  it('wait for Redis as long as their own options say, wherever they live', async () => {
    const hasty = { ...at, rateLimit: { timeout: '200ms' as const }, use: { rateLimit: 'limits' } }
    const app = await boot(root(hasty), root({ ...at, rateLimit: { timeout: '30s' }, name: 'limits' }), LIMITED)
    const sourceOf = async (limiter: RateLimiterService) => (await limiter.consume(rules('patience'), ids)).source
    const [quick, patient] = [app.get(RateLimiterService), app.get<RateLimiterService>('RateLimiterService@limits')]
    expect(await sourceOf(patient)).toBe('redis')
    server.pause()
    const later = sourceOf(patient)
    try {
      expect(await sourceOf(quick)).toBe('local')
    } finally {
      server.resume()
    }
    expect(await later).toBe('redis')
  })

  it.each(['before', 'behind'])(
    'give back what was taken in advance before the connection imported %s the others is closed',
    async (place) => {
      const imports = [root({ ...at, use: { rateLimit: 'limits' } }), root({ ...at, name: 'limits' })]
      const app = await boot(...(place === 'behind' ? imports : imports.reverse()), LIMITED)
      const peer = await boot(root(at))
      const shared = rules(place, { limit: 100, scope: 'global', lease: 50, algorithm: 'fixed-window' })
      const left = async () => (await peer.get(RateLimiterService).peek(shared, ids)).rules[0]!.remaining
      for (let i = 0; i < 10; i++) await app.get(RateLimiterService).consume(shared, ids)
      apps.shift()
      await app.close()
      expect(await left()).toBe(90)
    },
  )

  it('serve every onModuleDestroy, and then leave nothing open, also for who comes too late', async () => {
    const seen: string[] = []

    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly limiter: RateLimiterService) {}
      async onModuleDestroy(): Promise<void> {
        seen.push((await this.limiter.consume(rules('destroy'), ids)).source)
      }
    }
    @Module({ providers: [Late] })
    class LateModule {}

    const before = sockets()
    const app = await boot(root(at), LateModule)
    const limiter = app.get(RateLimiterService)
    await limiter.consume(rules('shutdown'), ids)
    await waitFor('the news', async () => (await connections(server)).includes('vextrus-limits'))
    await closeAll()
    expect(seen).toEqual(['redis'])
    expect((await limiter.consume(rules('shutdown'), ids)).source).toBe('local')
    await expect(limiter.refund(rules('shutdown'), ids)).rejects.toThrow(RateLimitUnavailableError)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
    expect(await connections(server)).toEqual([])
  })

  it('leave no key for ever, whatever the tests above did', async () => {
    expect(await server.scanKeysWithoutTtl([])).toEqual([])
  })
})

describe('rate limits on a server that evicts', () => {
  const LIMITS = /^rate limits live on .*allkeys-lru.*forgets counters.*use: \{ rateLimit: 'limits' \}/
  const BOTH =
    /^rate limits and locks live on .*allkeys-lru.*forgets counters.*evicts locks.*use: \{ rateLimit: 'kept', lock: 'kept' \}/
  let server: RedisServer
  let at: RedisCacheModuleOptions
  beforeAll(async () => {
    server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    at = { host: server.host, port: server.port, commandTimeout: '10s', rateLimit }
  })
  afterAll(() => server.stop())

  it('are warned of once at boot', async () => {
    await boot(root(at), LIMITED)
    expect(logged).toEqual([expect.stringMatching(LIMITS)])
  })

  it('are warned of together with the locks that live there', async () => {
    await boot(root(at), injecting(RedisLockService, RateLimiterService))
    expect(logged).toEqual([expect.stringMatching(BOTH)])
  })

  it('are warned of together with the locks also where those are of another connection', async () => {
    const orders = { ...at, name: 'orders', use: { lock: 'kept' } }
    const reports = { ...at, name: 'reports', use: { rateLimit: 'kept' } }

    @Injectable()
    class Both {
      constructor(
        @InjectVextrus(RedisLockService, 'orders') readonly locks: RedisLockService,
        @InjectVextrus(RateLimiterService, 'reports') readonly limiter: RateLimiterService,
      ) {}
    }
    @Module({ providers: [Both] })
    class BothModule {}

    await boot(root(orders), root({ ...at, name: 'kept' }), root(reports), BothModule)
    expect(logged).toEqual([expect.stringMatching(BOTH)])
  })

  it('are no matter where nobody injects them, or they live elsewhere', async () => {
    const other = await startRedis()
    try {
      await boot(root(at))
      const limits = { host: other.host, port: other.port, commandTimeout: '10s', name: 'limits' }
      await boot(root({ ...at, use: { rateLimit: 'limits' } }), root(limits), LIMITED)
      expect(logged).toEqual([])
    } finally {
      await closeAll()
      await other.stop()
    }
  })
})

describe('rate limits of an application without Redis', () => {
  it('boot, decide in the process, and count in Redis again when it is there', async () => {
    const port = await freePort()
    const app = await boot(root({ host: '127.0.0.1', port }), LIMITED)
    const limiter = app.get(RateLimiterService)
    expect(logged).toHaveLength(1)
    const open = rules('open', { onUnavailable: 'allow' })
    const decide = async (each = rules('local')) => {
      const { allowed, source } = await limiter.consume(each, ids)
      return [allowed, source]
    }
    expect([await decide(), await decide(), await decide()]).toEqual([
      ...[[true, 'local'], [true, 'local'], [false, 'local']], // prettier-ignore
    ])
    expect(await decide(open)).toEqual([true, 'unavailable'])
    expect(warnings(/limited without Redis/)).toHaveLength(1)
    const server = await startRedis({ port })
    try {
      await waitFor('a decision of Redis', async () => (await decide(open))[1] === 'redis')
    } finally {
      await closeAll()
      await server.stop()
    }
  })

  it('do not boot when Redis is required, and leave nothing open', async () => {
    const before = sockets()
    const booting = boot(root({ host: '127.0.0.1', port: await freePort(), required: true }), LIMITED)
    await expect(booting).rejects.toThrow(RedisUnavailableError)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
  })
})
