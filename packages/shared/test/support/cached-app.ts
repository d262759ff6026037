import { Global, Module, type Provider, type Type } from '@nestjs/common'
import { Test, type TestingModuleBuilder } from '@nestjs/testing'
import { RedisCacheService } from '../../src/cache/cache.js'
import { getVextrusToken } from '../../src/nest/tokens.js'
import { Tenancy, type TenancyOptions } from '../../src/cache/tenancy.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { MemoryCacheStore } from '../../src/cache/stores/memory.js'

/** A cache of its own, in memory; entries live exactly as long as was asked. */
export function memoryCache(): RedisCacheService {
  return new RedisCacheService(new MemoryCacheStore(new MemoryHub()), { jitter: 0 })
}

/** A Nest application with a cache and nothing else of the toolkit: what the decorators need, without the module. */
export function appWith(
  providers: Provider[],
  { cache = memoryCache(), controllers = [], connections = {}, tenancy }: AppOptions = {},
): TestingModuleBuilder {
  const caches: Provider[] = [
    ...(cache === null ? [] : [{ provide: RedisCacheService, useValue: cache }]),
    ...(tenancy === undefined ? [] : [{ provide: Tenancy, useValue: new Tenancy(tenancy) }]),
    ...Object.entries(connections).map(([name, other]) => ({
      provide: getVextrusToken(RedisCacheService, name),
      useValue: other,
    })),
  ]
  class Caches {}
  Global()(Caches)
  Module({ providers: caches, exports: caches.map((each) => (each as { provide: string }).provide) })(Caches)
  return Test.createTestingModule({ imports: [Caches], providers, controllers })
}

interface AppOptions {
  /** Null: the application has none. */
  cache?: RedisCacheService | null
  controllers?: Type[]
  connections?: Record<string, RedisCacheService>
  tenancy?: TenancyOptions
}
