import {
  type DynamicModule,
  type FactoryProvider,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import { RedisCacheService } from '../cache/cache.js'
import { CachePresets } from '../cache/nest/cache-pattern.js'
import { CacheService } from '../cache/nest/cache.service.js'
import { DEFAULT_CONNECTION, getVextrusToken, type ServiceClass } from '../nest/tokens.js'
import { Tenancy } from '../cache/tenancy.js'
import { JwtBlacklistService } from '../jwt/jwt-blacklist.js'
import { JwtGuardSettings } from '../jwt/nest/guard-options.js'
import { RefreshTokenFamilies } from '../jwt/refresh-families.js'
import { ConfigurationError } from '../kernel/errors.js'
import { MessageHandlers } from '../pubsub/nest/message-handlers.js'
import { RedisPubSubService } from '../pubsub/pubsub.js'
import { RateLimitGuardSettings } from '../rate-limit/nest/guard-options.js'
import { RateLimiterService } from '../rate-limit/rate-limiter.js'
import { RedisConnection } from '../redis/connection.js'
import { SessionGuardSettings } from '../session/nest/session-guard-settings.js'
import { SessionService } from '../session/session.js'
import { CacheRuntime, type RuntimeSurroundings } from './cache-runtime.js'
import { LOCK_SERVICES } from './lock-runtime.js'
import type { RedisCacheModuleOptions } from './module-options.js'

/** How a `forRoot` is seen by the other modules. */
export interface RedisCacheModuleExtras {
  /** True: every module may inject the services without importing this one. @default true */
  readonly isGlobal?: boolean | undefined
  /** Tells several connections of one application apart; see `@InjectVextrus`. @default 'default' */
  readonly name?: string | undefined
}

/** Makes the options of a `forRootAsync`. */
export interface RedisCacheOptionsFactory {
  createRedisCacheOptions(): RedisCacheModuleOptions | Promise<RedisCacheModuleOptions>
}

/** What {@link RedisCacheModule.forRootAsync} takes: exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface RedisCacheModuleAsyncOptions extends RedisCacheModuleExtras {
  /** Modules that provide what is injected. @default none */
  readonly imports?: ModuleMetadata['imports'] | undefined
  /** What `useFactory` is called with. @default nothing */
  readonly inject?: FactoryProvider['inject'] | undefined
  // oxlint-disable-next-line typescript/no-explicit-any -- what is injected has any type
  readonly useFactory?: ((...args: any[]) => RedisCacheModuleOptions | Promise<RedisCacheModuleOptions>) | undefined
  /** A class that is made here. */
  readonly useClass?: Type<RedisCacheOptionsFactory> | undefined
  /** A provider that is there already. */
  readonly useExisting?: InjectionToken<RedisCacheOptionsFactory> | undefined
}

/**
 * The toolkit in a Nest application.
 *
 * Provides `RedisCacheService`, `CacheService`, `RedisLockService`, `RedisSemaphore`, `RedisReadWriteLock`, `RateLimiterService`,
 * `SessionService`, `JwtBlacklistService`, `RefreshTokenFamilies`, `RedisPubSubService` and `RedisConnection` (null with `driver: 'memory'`) under
 * their classes, and those of a named connection under `getVextrusToken(Class, name)`.
 *
 * @example
 * ```ts
 * @Module({ imports: [RedisCacheModule.forRoot({ host: process.env.REDIS_HOST, password: process.env.REDIS_PASSWORD })] })
 * export class AppModule {}
 * ```
 */
@Module({})
export class RedisCacheModule {
  /**
   * Options as they are. What can't be used is refused when the application starts.
   * @throws ConfigurationError at start: an option that is unknown, can't be used, or contradicts another; two `forRoot` of one name
   * @throws RedisUnavailableError at start, with `required: true`
   */
  static forRoot(options: RedisCacheModuleOptions & RedisCacheModuleExtras = {}): DynamicModule {
    const { isGlobal, name, ...rest } = options
    return connectionModule(RedisCacheModule, { isGlobal, name }, { useFactory: () => rest })
  }

  /** As {@link forRoot}, with options that other providers make. `name` and `isGlobal` stand beside the factory, not in what it answers. */
  static forRootAsync(options: RedisCacheModuleAsyncOptions): DynamicModule {
    const { isGlobal, name, imports = [], inject = [], useFactory, useClass, useExisting } = options
    const given = Object.entries({ useFactory, useClass, useExisting }).filter(([, value]) => value !== undefined)
    if (given.length !== 1) {
      const found = given.map(([option]) => option).join(' and ') || 'none'
      throw new ConfigurationError(
        'forRootAsync',
        `needs exactly one of useFactory, useClass and useExisting; there is ${found}`,
      )
    }
    if (useFactory !== undefined)
      return connectionModule(RedisCacheModule, { isGlobal, name }, { useFactory, inject }, { imports })
    const factory = useExisting ?? useClass!
    return connectionModule(
      RedisCacheModule,
      { isGlobal, name },
      {
        useFactory: (made: RedisCacheOptionsFactory) => made.createRedisCacheOptions(),
        inject: [factory],
      },
      { imports, providers: useClass === undefined ? [] : [useClass] },
    )
  }
}

/** The dynamic module of one connection; the testing module makes its own with it. */
export function connectionModule(
  module: Type,
  { isGlobal, name }: RedisCacheModuleExtras,
  options: Pick<FactoryProvider, 'useFactory' | 'inject'>,
  { imports = [], providers = [] }: { imports?: ModuleMetadata['imports']; providers?: Provider[] } = {},
  surroundings: RuntimeSurroundings = {},
): DynamicModule {
  const services = connectionProviders(connectionName(name), surroundings)
  return {
    module,
    global: isGlobal ?? true,
    imports,
    providers: [...providers, { provide: OPTIONS, ...options }, ...services],
    exports: services.map(({ provide }) => provide),
  }
}

/** Of the dynamic module alone: Nest keeps the providers of each apart. */
const OPTIONS = Symbol('vextrus.options')

function connectionName(name: string | undefined): string {
  if (name === undefined) return DEFAULT_CONNECTION
  if (typeof name === 'string' && name !== '') return name
  throw new ConfigurationError('name', 'must be a non-empty string')
}

function connectionProviders(name: string, surroundings: RuntimeSurroundings): FactoryProvider[] {
  const runtime = getVextrusToken(CacheRuntime, name)
  const cache = getVextrusToken(RedisCacheService, name)
  const presets = getVextrusToken(CachePresets, name)
  const of = (service: ServiceClass, get: (made: CacheRuntime) => unknown): FactoryProvider => ({
    provide: getVextrusToken(service, name),
    useFactory: get,
    inject: [runtime],
  })
  return [
    {
      provide: runtime,
      useFactory: (options: RedisCacheModuleOptions, modules: ModulesContainer) =>
        new CacheRuntime(name, options, modules, surroundings),
      inject: [OPTIONS, ModulesContainer],
    },
    of(RedisConnection, ({ connection }) => connection),
    of(RedisCacheService, (made) => made.cache),
    of(Tenancy, ({ tenancy }) => tenancy),
    of(CachePresets, (made) => made.presets),
    {
      provide: getVextrusToken(CacheService, name),
      useFactory: (service: RedisCacheService, ttls: CachePresets) => new CacheService(service, ttls),
      inject: [cache, presets],
    },
    ...LOCK_SERVICES.map((service) => of(service, ({ locks }) => locks.service<object>(service))),
    of(RateLimiterService, ({ limits }) => limits.service),
    of(RateLimitGuardSettings, ({ guardSettings }) => guardSettings),
    of(SessionService, ({ sessions }) => sessions.service),
    of(SessionGuardSettings, ({ sessionGuardSettings }) => sessionGuardSettings),
    of(JwtBlacklistService, ({ tokens }) => tokens.blacklist),
    of(RefreshTokenFamilies, ({ tokens }) => tokens.families),
    of(JwtGuardSettings, ({ jwtGuardSettings }) => jwtGuardSettings),
    of(RedisPubSubService, ({ messages }) => messages.service),
    {
      provide: getVextrusToken(MessageHandlers, name),
      useFactory: (made: CacheRuntime, messages: RedisPubSubService) => made.handlersOf(messages),
      inject: [runtime, getVextrusToken(RedisPubSubService, name)],
    },
  ]
}
