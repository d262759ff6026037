import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common'
import type { ModulesContainer } from '@nestjs/core'
import type { CacheStore } from '../cache/cache-store.js'
import { RedisCacheService } from '../cache/cache.js'
import { CachePresets } from '../cache/nest/cache-pattern.js'
import { CacheService } from '../cache/nest/cache.service.js'
import { DEFAULT_CONNECTION, getVextrusToken } from '../nest/tokens.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { MemoryCacheStore } from '../cache/stores/memory.js'
import { Tenancy } from '../cache/tenancy.js'
import type { Clock } from '../kernel/clock.js'
import { ConfigurationError } from '../kernel/errors.js'
import type { RandomSource } from '../kernel/random.js'
import { MemoryLockStore } from '../lock/stores/memory.js'
import { RedisConnection } from '../redis/connection.js'
import { Injections } from './injections.js'
import { LockRuntime } from './lock-runtime.js'
import { type RedisCacheModuleOptions, type ResolvedModuleOptions, resolveModuleOptions } from './module-options.js'
import { OnDemandRedis } from './on-demand-redis.js'

/** What a runtime takes from its surroundings. The testing module gives its own. */
export interface RuntimeSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  /** @default MemoryCacheStore */
  readonly memoryStore?: ((hub: MemoryHub, keyPrefix: string) => CacheStore) | undefined
  /** Says nothing of what the memory driver is not. @default false */
  readonly quiet?: boolean | undefined
  /** How long locks that are held get at shutdown to be given back, ms. @default 1_000 */
  readonly lastWorkMs?: number | undefined
}

/**
 * The life of one `forRoot`: its connection, its cache and its locks, from boot to shutdown.
 *
 * It opens nothing until Nest has resolved the whole graph; then it looks whether anything injects one of its services, and connects before
 * the other modules' `onModuleInit` run. What is only fetched later, by `ModuleRef.get`, connects at its first command. It closes in Nest's
 * last phase, `onApplicationShutdown`, so that the cache still serves every `onModuleDestroy`.
 */
export class CacheRuntime implements OnModuleInit, OnApplicationShutdown {
  readonly presets: CachePresets
  /** For the decorators. The cache has one of its own, of the same options. */
  readonly tenancy: Tenancy
  readonly locks: LockRuntime
  private readonly redis: OnDemandRedis | undefined
  private readonly required: boolean
  private readonly logger: Logger
  private readonly options: ResolvedModuleOptions
  private storage: CacheStore | undefined
  private memory: MemoryHub | undefined
  private made: RedisCacheService | undefined

  /** @throws ConfigurationError, InvalidDurationError: options that can't be used, or a second `forRoot` of one name */
  constructor(
    private readonly name: string,
    options: RedisCacheModuleOptions,
    private readonly modules: ModulesContainer,
    private readonly surroundings: RuntimeSurroundings,
  ) {
    this.refuseTwin()
    this.options = resolveModuleOptions(options)
    this.logger = new Logger(name === DEFAULT_CONNECTION ? 'RedisCacheModule' : `RedisCacheModule(${name})`)
    const { connection, keyspace, onFailover, stalenessMs } = this.options
    if (connection !== undefined) {
      const { logger } = this
      this.redis = new OnDemandRedis(connection, keyspace, { ...surroundings, onFailover, stalenessMs, logger })
    }
    this.required = this.options.required
    this.presets = this.options.presets
    this.tenancy = this.options.tenancy
    this.locks = this.locksOf(this.redis)
  }

  /** The cache; made when Nest asks for it, which it does not when a test has put something in its place. Makes no connection. */
  get cache(): RedisCacheService {
    this.made ??= new RedisCacheService(this.store, this.options.cache, {
      ...this.surroundings,
      logger: this.logger,
    })
    return this.made
  }

  /** Where the entries are. */
  get store(): CacheStore {
    this.storage ??= this.redis?.store ?? this.memoryStore()
    return this.storage
  }

  /** Null: there is none, the driver is `'memory'`. */
  get connection(): RedisConnection | null {
    return this.redis?.connection ?? null
  }

  async onModuleInit(): Promise<void> {
    const injections = new Injections(this.modules)
    injections.adoptInstances()
    if (this.redis === undefined) this.warnOfMemory()
    const own = this.tokensOf(CacheRuntime, CachePresets, Tenancy, RedisConnection, RedisCacheService, CacheService)
    const wantsCache = this.made !== undefined && injections.wants(this.tokensOf(RedisCacheService, CacheService), own)
    const wantsConnection = injections.wants(this.tokensOf(RedisConnection), own)
    const wantsLocks = injections.wants(this.locks.tokens, own)
    // A test that has replaced the services wants no Redis, required or not.
    const wantsAny = this.made !== undefined || wantsConnection || (wantsLocks && this.options.use.lock === undefined)
    try {
      await this.made?.prepare()
      if (wantsCache) await this.redis?.start()
      else if (wantsConnection) await this.redis?.connect()
      if (wantsLocks) await this.locks.start()
      if (this.required && wantsAny) await this.redis?.connection.ready()
    } catch (error) {
      // The boot fails: nothing of it may keep the process alive.
      await this.close()
      throw error
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close()
  }

  /** The cache first: loads that are under way may hold locks. */
  private async close(): Promise<void> {
    await this.made?.close()
    await this.locks.close()
    await this.redis?.close()
  }

  private memoryStore(): CacheStore {
    const { prefix } = this.options.keyspace
    return this.surroundings.memoryStore?.(this.hub, prefix) ?? new MemoryCacheStore(this.hub, prefix)
  }

  private get hub(): MemoryHub {
    const { clock, random } = this.surroundings
    this.memory ??= this.options.hub ?? new MemoryHub({ clock, random })
    return this.memory
  }

  private locksOf(redis: OnDemandRedis | undefined): LockRuntime {
    const { name, logger, surroundings } = this
    const { keyspace, lock, use, tenancy } = this.options
    const livesOn = use.lock === name ? undefined : use.lock
    if (livesOn !== undefined && this.modulesOf(livesOn).length === 0) {
      const mend = `no RedisCacheModule.forRoot of this application is named '${livesOn}'; import one beside this`
      throw new ConfigurationError('use.lock', mend)
    }
    return new LockRuntime({
      ...{ name, livesOn, redis, options: lock },
      surroundings: { ...surroundings, checkKey: (key) => tenancy.assertHeld(key, 'key') },
      makeStore: () => redis?.locks ?? new MemoryLockStore(this.hub, keyspace.prefix),
      other: (other) => this.runtimeOf(other)?.locks,
      warn: (message) => logger.warn(message),
    })
  }

  private warnOfMemory(): void {
    if (this.surroundings.quiet === true) return
    this.logger.warn("driver: 'memory' shares nothing between processes and forgets all when this one ends")
  }

  private tokensOf(...services: Parameters<typeof getVextrusToken>[0][]): Set<ReturnType<typeof getVextrusToken>> {
    return new Set(services.map((service) => getVextrusToken(service, this.name)))
  }

  /** Undefined: Nest has not made it yet. */
  private runtimeOf(name: string): CacheRuntime | undefined {
    const token = getVextrusToken(CacheRuntime, name)
    const made: unknown = this.modulesOf(name)[0]?.providers.get(token)?.instance
    return made instanceof CacheRuntime ? made : undefined
  }

  /** The modules that a `forRoot` of this name has made in this application. */
  private modulesOf(name: string): NestModule[] {
    const token = getVextrusToken(CacheRuntime, name)
    return [...this.modules.values()].filter(({ providers }) => providers.has(token))
  }

  /** Two of one name would share their tokens, and each consumer would get one of them by the order of imports. */
  private refuseTwin(): void {
    if (this.modulesOf(this.name).length < 2) return
    throw new ConfigurationError(
      'name',
      `two RedisCacheModule.forRoot of this application are named '${this.name}'; import one, or give the other a name of its own`,
    )
  }
}

type NestModule = ReturnType<ModulesContainer['values']> extends Iterable<infer Each> ? Each : never
