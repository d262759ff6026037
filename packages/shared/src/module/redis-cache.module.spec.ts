import { Inject, Injectable, Logger, Module, type OnModuleDestroy, type OnModuleInit, Scope } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RedisCacheService } from '../cache/cache.js'
import { SensitiveDataError, TenantKeyError } from '../cache/errors.js'
import { CachePattern } from '../cache/nest/cache-pattern.js'
import { CacheService } from '../cache/nest/cache.service.js'
import { Cacheable } from '../cache/nest/cacheable.decorator.js'
import { getVextrusToken, InjectVextrus } from '../nest/tokens.js'
import { runAsTenant } from '../cache/tenancy.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { ConfigurationError, MissingPeerError } from '../kernel/errors.js'
import { RedisConnection } from '../redis/connection.js'
import type { RedisCacheModuleOptions } from './module-options.js'
import { RedisCacheModule } from './redis-cache.module.js'

const memory: RedisCacheModuleOptions = { driver: 'memory' }

@Injectable()
class Products {
  calls = 0
  @Cacheable({ keyGenerator: (id: string) => `product:${id}` })
  async find(id: string): Promise<string> {
    this.calls++
    return `product ${id}`
  }
}

/** Imports nothing: what it injects must be global. */
@Module({ providers: [Products], exports: [Products] })
class ProductsModule {
  constructor(readonly cache: RedisCacheService) {}
}

const boot = (...imports: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>) =>
  Test.createTestingModule({ imports }).compile()

let warnings: string[]
const watchWarnings = () => {
  warnings = []
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void warnings.push(message))
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('forRoot', () => {
  it('gives every module the cache, and the decorators theirs', async () => {
    watchWarnings()
    const app = await boot(RedisCacheModule.forRoot(memory), ProductsModule)
    await app.init()
    const cache = app.get(RedisCacheService)
    expect(app.get(ProductsModule).cache).toBe(cache)
    await app.get(Products).find('1')
    await app.get(Products).find('1')
    expect(app.get(Products).calls).toBe(1)
    expect(await cache.get('product:1')).toBe('product 1')
    await app.close()
  })

  it('says once that memory shares nothing between processes', async () => {
    watchWarnings()
    const app = await boot(RedisCacheModule.forRoot(memory))
    await app.init()
    expect(warnings).toEqual(["driver: 'memory' shares nothing between processes and forgets all when this one ends"])
    await app.close()
  })

  it('has a memory of its own for each application, unless they are given one', async () => {
    const hub = new MemoryHub()
    const caches = async (options: RedisCacheModuleOptions) => {
      const apps = await Promise.all([0, 1].map(() => boot(RedisCacheModule.forRoot(options))))
      return apps.map((app) => app.get(RedisCacheService))
    }
    const [a, b] = await caches(memory)
    await a!.set('k', 1)
    expect(await b!.get('k')).toBeNull()
    const [c, d] = await caches({ ...memory, memory: hub })
    await c!.set('k', 1)
    expect(await d!.get('k')).toBe(1)
  })

  it('passes its options on', async () => {
    const app = await boot(
      RedisCacheModule.forRoot({
        ...memory,
        ...{ defaultTtl: '10s', maxTtl: '1h', jitter: 0, cacheNull: '5s', presets: { [CachePattern.USER]: '7m' } },
      }),
    )
    const cache = app.get(RedisCacheService)
    await cache.getOrSet('a', () => null)
    expect((await cache.lookup('a')).ttlMs).toBeCloseTo(5_000, -2)
    await cache.set('b', 1)
    expect(await cache.ttl('b')).toBeCloseTo(10, 0)
    await expect(cache.set('b', 1, '2h')).rejects.toThrow(/maxTtl/)
    const service = app.get(CacheService)
    expect(service.getTTL(CachePattern.USER)).toBe(420)
    await service.set('u', 1, CachePattern.USER)
    expect(await cache.ttl('u')).toBeCloseTo(420, -1)

    class Users {
      @Cacheable({ preset: CachePattern.USER, keyGenerator: () => 'preset' })
      async find(): Promise<number> {
        return 1
      }
    }
    const other = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot({ ...memory, jitter: 0, presets: { [CachePattern.USER]: '7m' } })],
      providers: [Users],
    }).compile()
    await other.get(Users).find()
    expect(await other.get(RedisCacheService).ttl('preset')).toBeCloseTo(420, -1)
  })

  it('passes on how values are stored, and what a tenant is', async () => {
    const app = await Test.createTestingModule({
      imports: [
        RedisCacheModule.forRoot({
          ...memory,
          ...{ jitter: 0, grace: '1h', maxValueBytes: 100, sensitive: { fields: ['iban'] } },
          tenancy: { required: true, resolve: () => 't1', global: ['global'] },
        }),
      ],
      providers: [Products],
    }).compile()
    await app.init()
    const cache = app.get(RedisCacheService)
    await expect(cache.set('global:a', { iban: 'x' })).rejects.toThrow(SensitiveDataError)
    await cache.set('global:a', 'x'.repeat(200))
    expect(await cache.has('global:a')).toBe(false)
    await expect(cache.get('product:t2:1')).rejects.toThrow(TenantKeyError)
    await expect(app.get(Products).find('1')).rejects.toThrow(TenantKeyError)
    expect(app.get(Products).calls).toBe(0)
    await app.close()
  })

  it("puts the tenant into a decorator's default keys", async () => {
    class Reports {
      calls = 0
      @Cacheable()
      async monthly(): Promise<number> {
        return ++this.calls
      }
    }
    const tenancy = { required: true, resolve: () => 'from-request' }
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot({ ...memory, tenancy })],
      providers: [Reports],
    }).compile()
    const { calls } = vi.spyOn(app.get(RedisCacheService), 'getOrSet').mock
    const reports = app.get(Reports)
    expect([await reports.monthly(), await runAsTenant('t1', () => reports.monthly())]).toEqual([1, 2])
    expect([await reports.monthly(), await runAsTenant('t1', () => reports.monthly())]).toEqual([1, 2])
    expect(calls.map(([key]) => key.slice(0, -44))).toEqual(
      Array.from({ length: 2 }, () => ['Reports.monthly:from-request', 'Reports.monthly:t1']).flat(),
    )
  })

  it('can be kept from the other modules', async () => {
    await expect(boot(RedisCacheModule.forRoot({ ...memory, isGlobal: false }), ProductsModule)).rejects.toThrow(
      /RedisCacheService/,
    )

    @Module({ imports: [RedisCacheModule.forRoot({ ...memory, isGlobal: false })], providers: [Products] })
    class Own {
      constructor(readonly cache: RedisCacheService) {}
    }
    const app = await boot(Own)
    await app.get(Products).find('1')
    expect(await app.get(Own).cache.has('product:1')).toBe(true)
  })

  it('refuses bad options when the application starts, by name', async () => {
    await expect(boot(RedisCacheModule.forRoot({ port: parseInt('') }))).rejects.toThrow(
      expect.objectContaining({ option: 'port' }),
    )
    await expect(boot(RedisCacheModule.forRoot({ hots: 'redis' } as object))).rejects.toThrow(ConfigurationError)
    expect(() => RedisCacheModule.forRoot({ ...memory, name: '' })).toThrow(ConfigurationError)
  })

  it('gives no connection where there is none', async () => {
    const app = await boot(RedisCacheModule.forRoot(memory))
    expect(app.get(RedisConnection)).toBeNull()
  })
})

describe('named connections', () => {
  it('stand beside the default one, each with its services', async () => {
    @Injectable()
    class Reports {
      constructor(
        readonly main: RedisCacheService,
        @InjectVextrus(RedisCacheService, 'reports') readonly reports: RedisCacheService,
        @InjectVextrus(CacheService, 'reports') readonly patterns: CacheService,
      ) {}

      @Cacheable({ connection: 'reports', keyGenerator: () => 'r', preset: CachePattern.REPORT })
      async build(): Promise<number> {
        return 1
      }
    }
    const app = await Test.createTestingModule({
      imports: [
        RedisCacheModule.forRoot(memory),
        RedisCacheModule.forRoot({ ...memory, name: 'reports', jitter: 0, presets: { [CachePattern.REPORT]: '1m' } }),
      ],
      providers: [Reports],
    }).compile()
    const { main, reports, patterns } = app.get(Reports)
    expect(reports).not.toBe(main)
    expect(app.get(getVextrusToken(RedisCacheService, 'reports'))).toBe(reports)
    await app.get(Reports).build()
    expect([await main.has('r'), await reports.ttl('r')]).toEqual([false, expect.closeTo(60, 0)])
    expect(patterns.getTTL(CachePattern.REPORT)).toBe(60)
  })

  it('are refused twice under one name in one application, and fine in two', async () => {
    const twice = [RedisCacheModule.forRoot(memory), RedisCacheModule.forRoot(memory)]
    await expect(boot(...twice)).rejects.toThrow(/two RedisCacheModule.forRoot .* named 'default'/)
    const named = () => RedisCacheModule.forRootAsync({ name: 'a', useFactory: () => memory })
    await expect(boot(named(), named())).rejects.toThrow(/named 'a'/)
    await Promise.all([boot(twice[0]!), boot(twice[1]!)])
  })

  it('may be imported in several places when they are one', async () => {
    const shared = RedisCacheModule.forRoot({ ...memory, isGlobal: false })

    @Module({ imports: [shared] })
    class A {
      constructor(readonly cache: RedisCacheService) {}
    }
    @Module({ imports: [shared] })
    class B {
      constructor(readonly cache: RedisCacheService) {}
    }
    const app = await boot(A, B)
    expect(app.get(A).cache).toBe(app.get(B).cache)
  })
})

describe('forRootAsync', () => {
  @Injectable()
  class Config {
    readonly ttl = '11s'
    createRedisCacheOptions(): RedisCacheModuleOptions {
      return { ...memory, jitter: 0, defaultTtl: this.ttl }
    }
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  const imports = [ConfigModule]

  it.each([
    [
      'a factory',
      { imports, inject: [Config], useFactory: async (config: Config) => config.createRedisCacheOptions() },
    ],
    ['a class', { useClass: Config }],
    ['a provider', { imports, useExisting: Config }],
  ])('takes its options from %s', async (_, options) => {
    const app = await boot(RedisCacheModule.forRootAsync(options), ProductsModule)
    const cache = app.get(RedisCacheService)
    await cache.set('k', 1)
    expect(await cache.ttl('k')).toBeCloseTo(11, 0)
  })

  it('takes a name and isGlobal', async () => {
    const token = getVextrusToken(RedisCacheService, 'x')
    const app = await boot(RedisCacheModule.forRootAsync({ name: 'x', isGlobal: false, useFactory: () => memory }))
    expect(app.get(token)).toBeInstanceOf(RedisCacheService)
    expect(() => app.get(RedisCacheService)).toThrow(/could not find/)
  })

  it('refuses what is missing or too much', async () => {
    expect(() => RedisCacheModule.forRootAsync({})).toThrow(/exactly one of useFactory, useClass and useExisting/)
    expect(() => RedisCacheModule.forRootAsync({ useClass: Config, useExisting: Config })).toThrow(
      /useClass and useExi/,
    )
    const named = { ...memory, name: 'x' } as RedisCacheModuleOptions
    await expect(boot(RedisCacheModule.forRootAsync({ useFactory: () => named }))).rejects.toThrow(
      /name: stands beside `useFactory`/,
    )
  })
})

describe('the life of the cache', () => {
  it('spans from the factories of other providers to their onModuleDestroy', async () => {
    const seen: unknown[] = []

    @Injectable()
    class Early implements OnModuleInit, OnModuleDestroy {
      constructor(
        @Inject('WARM') readonly warm: string,
        private readonly cache: RedisCacheService,
      ) {}
      async onModuleInit(): Promise<void> {
        seen.push(await this.cache.get('warm'))
      }
      async onModuleDestroy(): Promise<void> {
        seen.push(await this.cache.get('warm'))
      }
    }
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot(memory)],
      providers: [
        Early,
        {
          provide: 'WARM',
          useFactory: (cache: RedisCacheService) => cache.getOrSet('warm', async () => 'yes'),
          inject: [RedisCacheService],
        },
      ],
    }).compile()
    await app.init()
    await app.close()
    expect(seen).toEqual(['yes', 'yes'])
  })

  it('begins with what its values need, and not without it', async () => {
    watchWarnings()
    const missing = new MissingPeerError('msgpackr', "serializer: 'msgpack'")
    const prepare = vi.spyOn(RedisCacheService.prototype, 'prepare').mockRejectedValueOnce(missing)
    await expect((await boot(RedisCacheModule.forRoot(memory))).init()).rejects.toBe(missing)
    expect(prepare).toHaveBeenCalledTimes(1)

    // With Redis the boot leaves no connection behind that would keep the process alive.
    prepare.mockRejectedValueOnce(missing)
    const close = vi.spyOn(RedisConnection.prototype, 'close')
    await expect((await boot(RedisCacheModule.forRoot({ host: '127.0.0.1', port: 1 }))).init()).rejects.toBe(missing)
    expect(close).toHaveBeenCalledTimes(1)
  })

  it('is found by instances that a factory made', async () => {
    const value = new Products()
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot(memory)],
      providers: [
        { provide: Products, useFactory: () => new Products() },
        { provide: 'VALUE', useValue: value },
      ],
    }).compile()
    await app.init()
    for (const products of [app.get(Products), value]) {
      await products.find('1')
      await products.find('1')
    }
    expect([app.get(Products).calls, value.calls]).toEqual([1, 0])
  })

  it('has not begun while it is being made: methods that are called then run uncached, silently', async () => {
    watchWarnings()
    let configured!: (options: RedisCacheModuleOptions) => void
    const options = new Promise<RedisCacheModuleOptions>((resolve) => (configured = resolve))
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRootAsync({ useFactory: () => options }), ProductsModule],
      providers: [
        {
          provide: 'EARLY',
          useFactory: async (products: Products) => {
            const found = await products.find('1')
            configured(memory)
            return found
          },
          inject: [Products],
        },
      ],
    }).compile()
    expect(app.get('EARLY')).toBe('product 1')
    expect(warnings).toEqual([])
    await app.get(Products).find('1')
    await app.get(Products).find('1')
    expect(app.get(Products).calls).toBe(2)
  })

  it('may be replaced for a test', async () => {
    const getOrSet = vi.fn().mockResolvedValue('mock')
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot({ required: true, host: '127.0.0.1', port: 1 }), ProductsModule],
    })
      .overrideProvider(RedisCacheService)
      .useValue({ getOrSet })
      .compile()
    // Neither `required` nor an absent server matters: nothing is connected.
    await app.init()
    expect(await app.get(Products).find('1')).toBe('mock')
    await app.close()
  })

  it('serves providers of request scope', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Products {
      constructor(readonly cache: RedisCacheService) {
        super()
      }
    }
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot(memory)],
      providers: [PerRequest],
    }).compile()
    const [one, two] = [await app.resolve(PerRequest), await app.resolve(PerRequest)]
    expect(one).not.toBe(two)
    await one.find('1')
    await two.find('1')
    expect([one.calls, two.calls]).toEqual([1, 0])
  })
})
