import { Inject, Injectable, Logger, Module, type OnModuleDestroy } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TenantKeyError } from '../cache/errors.js'
import { runAsTenant } from '../cache/tenancy.js'
import { ConfigurationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { RedisLockService } from '../lock/index.js'
import { getVextrusToken, InjectVextrus } from '../nest/tokens.js'
import { type RateLimitRule, RateLimiterService, RateLimitUnavailableError } from '../rate-limit/index.js'
import { RateLimitGuardSettings } from '../rate-limit/nest/guard-options.js'
import type { RedisCacheModuleOptions } from './module-options.js'
import { RedisCacheModule } from './redis-cache.module.js'

const memory: RedisCacheModuleOptions = { driver: 'memory' }

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>

const boot = (...imports: Imports) => Test.createTestingModule({ imports }).compile()

/** The limits of applications with these options. */
async function limitersOf(...options: RedisCacheModuleOptions[]): Promise<RateLimiterService[]> {
  return Promise.all(options.map(async (each) => (await boot(RedisCacheModule.forRoot(each))).get(RateLimiterService)))
}

const at = (name: string) => getVextrusToken(RateLimiterService, name)

const once: readonly RateLimitRule[] = [{ limit: 1, window: '1h' }]
const user = { user: 'u1' }

const passes = async (limiter: RateLimiterService, rules = once): Promise<boolean> =>
  (await limiter.consume(rules, user)).allowed

beforeEach(() => {
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('the rate limits of a module', () => {
  it('are injected by class, and by name where the connection has one', async () => {
    @Injectable()
    class Reports {
      constructor(
        readonly limiter: RateLimiterService,
        @InjectVextrus(RateLimiterService, 'reports') readonly named: RateLimiterService,
      ) {}
    }
    const imports = [RedisCacheModule.forRoot(memory), RedisCacheModule.forRoot({ ...memory, name: 'reports' })]
    const app = await Test.createTestingModule({ imports, providers: [Reports] }).compile()
    const { limiter, named } = app.get(Reports)
    expect([limiter, app.get(RateLimiterService)]).toEqual([expect.any(RateLimiterService), limiter])
    expect(app.get(at('reports'))).toBe(named)
    // Each counts on its own.
    expect([await passes(limiter), await passes(named), await passes(limiter)]).toEqual([true, true, false])
  })

  it('count together where modules share a hub and a prefix, and nowhere else', async () => {
    const hub = new MemoryHub()
    const shared = { ...memory, memory: hub }
    const [one, two, prefixed, apart] = await limitersOf(shared, shared, { ...shared, keyPrefix: 'other:' }, memory)
    const all = [await passes(one!), await passes(two!), await passes(prefixed!), await passes(apart!)]
    expect(all).toEqual([true, false, true, true])
  })

  it('take their options from `rateLimit`, their service and their guard', async () => {
    const plan = vi.fn().mockResolvedValue({ 'user-3600000': { limit: 3 } })
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, rateLimit: { plan, headers: false, rules: [{ limit: 1, window: '1h' }] } }),
    )
    const { rules } = await app.get(RateLimiterService).peek(once, { ...user, tenant: 't1' })
    expect([rules[0]!.limit, plan.mock.calls]).toEqual([3, [['t1']]])
    expect(app.get(RateLimitGuardSettings).options).toMatchObject({ headers: false, rules: [{ limit: 1 }] })
  })

  it('tell their guard whose turn it is, each as its own tenancy says', async () => {
    const tenancy = { resolve: () => 'from-request' }
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, tenancy }),
      RedisCacheModule.forRoot({ ...memory, name: 'reports', rateLimit: { shadow: true } }),
    )
    const [settings, named] = [RateLimitGuardSettings, getVextrusToken(RateLimitGuardSettings, 'reports')].map(
      (token) => app.get<RateLimitGuardSettings>(token),
    )
    const turns = () => [settings!.currentTenant(), named!.currentTenant()]
    expect(turns()).toEqual(['from-request', undefined])
    expect(runAsTenant('t1', turns)).toEqual(['t1', 't1'])
    expect([settings, named].map((each) => each!.options.isShadow('any'))).toEqual([false, true])
  })

  it('need the tenant in the keys of places where it is required; those of hits are made by adapters', async () => {
    const [limiter] = await limitersOf({ ...memory, tenancy: { required: true, global: ['job'] } })
    const one = { limit: 1, ttl: '1m' } as const
    await expect(limiter!.concurrency('export:t1', one)).rejects.toThrow(TenantKeyError)
    await runAsTenant('t1', async () => {
      await expect(limiter!.concurrency('export:t10', one)).rejects.toThrow(TenantKeyError)
      expect(await limiter!.concurrency('export:t1', one)).not.toBeNull()
    })
    expect(await limiter!.concurrency('job:nightly', one)).not.toBeNull()
    expect(await limiter!.hit('throttler:default:0ab1', { window: '1m' })).toMatchObject({ hits: 1 })
  })

  it('may be replaced for a test, without a Redis', async () => {
    const consume = vi.fn().mockResolvedValue({ allowed: true })
    @Injectable()
    class Reports {
      constructor(readonly limiter: RateLimiterService) {}
    }
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot({ host: '127.0.0.1', port: 1 })],
      providers: [Reports],
    })
      .overrideProvider(RateLimiterService)
      .useValue({ consume })
      .compile()
    await app.init()
    expect(await app.get(Reports).limiter.consume(once, user)).toEqual({ allowed: true })
    expect(vi.mocked(Logger.prototype.warn)).not.toHaveBeenCalled()
    await app.close()
  })
})

describe('the rate limits of an application that is closed', () => {
  it('serve every onModuleDestroy, and give back then what they took in advance', async () => {
    const hub = new MemoryHub()
    const shared: RateLimitRule[] = [
      { limit: 100, window: '1h', scope: 'global', lease: 50, algorithm: 'fixed-window' },
    ]
    const seen: boolean[] = []

    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly limiter: RateLimiterService) {}
      async onModuleDestroy(): Promise<void> {
        seen.push(await passes(this.limiter))
      }
    }
    const imports = [RedisCacheModule.forRoot({ ...memory, memory: hub })]
    const app = await Test.createTestingModule({ imports, providers: [Late] }).compile()
    await app.init()
    const [peer] = await limitersOf({ ...memory, memory: hub })
    const left = async () => (await peer!.peek(shared, user)).rules[0]!.remaining
    for (let i = 0; i < 10; i++) await app.get(RateLimiterService).consume(shared, user)
    expect(await left()).toBeLessThan(90)
    await app.close()
    expect([await left(), seen]).toEqual([90, [true]])
  })
})

describe('use.rateLimit', () => {
  const elsewhere: RedisCacheModuleOptions = { ...memory, use: { rateLimit: 'limits' } }

  it('lets the limits live on another connection, under its prefix, and leaves the locks where they are', async () => {
    const hub = new MemoryHub()
    const limits = { ...memory, memory: hub, keyPrefix: 'limits:' }
    const app = await boot(RedisCacheModule.forRoot(elsewhere), RedisCacheModule.forRoot({ ...limits, name: 'limits' }))
    await app.init()
    const [peer] = await limitersOf(limits)
    expect(await passes(app.get(RateLimiterService))).toBe(true)
    expect([await passes(app.get(at('limits'))), await passes(peer!)]).toEqual([false, false])
    const lockAt = (name?: string) => app.get<RedisLockService>(getVextrusToken(RedisLockService, name))
    await lockAt().acquire('a')
    expect(await lockAt('limits').tryAcquire('a')).not.toBeNull()
    await app.close()
  })

  it('may name its own connection', async () => {
    const app = await boot(RedisCacheModule.forRoot({ ...elsewhere, name: 'limits' }))
    await app.init()
    const limiter = app.get<RateLimiterService>(at('limits'))
    expect([await passes(limiter), await passes(limiter)]).toEqual([true, false])
    await app.close()
  })

  it('is refused when no connection has that name', async () => {
    const booting = boot(RedisCacheModule.forRoot(elsewhere), RedisCacheModule.forRoot({ ...memory, name: 'lock' }))
    await expect(booting).rejects.toThrow(ConfigurationError)
    await expect(booting).rejects.toThrow(/^use\.rateLimit: no RedisCacheModule\.forRoot .* named 'limits'/)
  })

  it('limits without a store while that connection is still being made, and says so of what needs one', async () => {
    let configured!: (options: RedisCacheModuleOptions) => void
    const options = new Promise<RedisCacheModuleOptions>((resolve) => (configured = resolve))

    @Module({
      providers: [
        {
          provide: 'EARLY',
          useFactory: async (limiter: RateLimiterService) => {
            const sources = [(await limiter.consume(once, user)).source, (await limiter.consume(once, user)).allowed]
            const refund = await limiter.refund(once, user).catch((error: unknown) => error)
            const hit = await limiter.hit('a', { window: '1h' })
            const place = await limiter.concurrency('a', { limit: 1, ttl: '1m' })
            configured(memory)
            return [...sources, refund, hit.source, place?.source]
          },
          inject: [RateLimiterService],
        },
      ],
      exports: ['EARLY'],
    })
    class EarlyModule {
      constructor(@Inject('EARLY') readonly early: unknown[]) {}
    }
    const app = await boot(
      RedisCacheModule.forRoot(elsewhere),
      EarlyModule,
      RedisCacheModule.forRootAsync({ name: 'limits', useFactory: () => options }),
    )
    const { early } = app.get(EarlyModule)
    expect(early).toEqual(['local', false, expect.any(RateLimitUnavailableError), 'local', 'local'])
    expect((early[2] as Error).message).toBe(
      "rate limits live on the connection 'limits', which is not made yet; ask for them later",
    )
    expect((await app.get(RateLimiterService).consume(once, user)).source).toBe('redis')
    await app.close()
  })
})
