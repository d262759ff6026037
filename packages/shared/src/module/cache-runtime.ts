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
import { JwtGuardSettings } from '../jwt/nest/guard-options.js'
import type { Clock } from '../kernel/clock.js'
import { ConfigurationError } from '../kernel/errors.js'
import type { RandomSource } from '../kernel/random.js'
import { MessageHandlers } from '../pubsub/nest/message-handlers.js'
import type { RedisPubSubService } from '../pubsub/pubsub.js'
import { RateLimitGuardSettings } from '../rate-limit/nest/guard-options.js'
import { RedisConnection } from '../redis/connection.js'
import { SessionGuardSettings } from '../session/nest/session-guard-settings.js'
import { Home, type Lodging, type LodgingPlace } from './capability-home.js'
import { Injections } from './injections.js'
import { JwtRuntime } from './jwt-runtime.js'
import { LimitRuntime } from './limit-runtime.js'
import { LockRuntime } from './lock-runtime.js'
import { MessageRuntime } from './message-runtime.js'
import {
  CAPABILITIES,
  type Capability,
  type RedisCacheModuleOptions,
  type ResolvedModuleOptions,
  resolveModuleOptions,
} from './module-options.js'
import { OnDemandRedis } from './on-demand-redis.js'
import { SessionRuntime } from './session-runtime.js'
import { clearUserCaches } from './user-caches.js'

/** What a runtime takes from its surroundings. The testing module gives its own. */
export interface RuntimeSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  /** @default MemoryCacheStore */
  readonly memoryStore?: ((hub: MemoryHub, keyPrefix: string) => CacheStore) | undefined
  /** Says nothing of what the memory driver is not. @default false */
  readonly quiet?: boolean | undefined
  /** How long locks that are held get at shutdown to be given back, and handlers of messages to end, each, ms. @default 1_000 */
  readonly lastWorkMs?: number | undefined
}

/**
 * The life of one `forRoot`: its connection, its cache, and its capabilities, from boot to shutdown.
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
  readonly limits: LimitRuntime
  readonly sessions: SessionRuntime
  readonly tokens: JwtRuntime
  readonly messages: MessageRuntime
  /** For the guard of the rate limits. */
  readonly guardSettings: RateLimitGuardSettings
  /** For the guard of the sessions. */
  readonly sessionGuardSettings: SessionGuardSettings
  /** For the guard of the tokens. */
  readonly jwtGuardSettings: JwtGuardSettings
  /** Where all is that lives on this connection. */
  readonly home: Home
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
    const warn = (message: string): void => this.logger.warn(message)
    this.home = new Home(
      this.redis,
      () => this.hub,
      keyspace.prefix,
      () => this.wantedHere(),
      warn,
    )
    const { tenancy } = this
    const checkKey = (key: string): void => tenancy.assertHeld(key, 'key')
    this.locks = new LockRuntime(this.placeOf('lock'), this.options.lock, { ...surroundings, checkKey })
    this.limits = new LimitRuntime(this.placeOf('rateLimit'), this.options.rateLimit, {
      ...surroundings,
      warn,
      checkKey,
    })
    this.guardSettings = new RateLimitGuardSettings(this.options.rateLimit, () => tenancy.current())
    this.sessions = new SessionRuntime(this.placeOf('session'), this.options.session.engine, {
      ...surroundings,
      ended: (userId, tenants) => clearUserCaches(this.made, tenancy, userId, tenants),
    })
    this.tokens = new JwtRuntime(this.placeOf('jwt'), this.options.jwt, { ...surroundings, stalenessMs })
    this.sessionGuardSettings = this.options.session.guard
    this.jwtGuardSettings = new JwtGuardSettings(this.options.jwt)
    this.messages = new MessageRuntime(this.placeOf('pubsub'), this.options.pubsub, { ...surroundings, warn })
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
    const { own } = this
    const wantsCache = this.made !== undefined && injections.wants(this.tokensOf(RedisCacheService, CacheService), own)
    const wantsConnection = injections.wants(this.tokensOf(RedisConnection), own)
    const lodgings = this.lodgings.filter(({ wanted }) => wanted)
    // A test that has replaced the services wants no Redis, required or not.
    const wantsAny = this.made !== undefined || wantsConnection || lodgings.some(({ home }) => home === this.home)
    try {
      await this.made?.prepare()
      if (wantsCache) await this.redis?.start()
      else if (wantsConnection) await this.redis?.connect()
      for (const lodging of lodgings) await lodging.start()
      if (this.required && wantsAny) await this.redis?.connection.ready()
    } catch (error) {
      // The boot fails: nothing of it may keep the process alive.
      await this.close()
      throw error
    }
  }

  /** For the handlers of its messages. */
  handlersOf(messages: RedisPubSubService): MessageHandlers {
    const { name, modules, surroundings } = this
    return new MessageHandlers(messages, {
      ...{ connection: name, modules, ...surroundings },
      isConnection: (other) => this.modulesOf(other).length > 0,
      patienceMs: () => this.messages.home?.redis?.connection.commandTimeoutMs,
      warn: (message) => this.logger.warn(message),
      failed: () => this.close(),
    })
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close()
  }

  /** The cache first: loads that are under way may hold locks. The connection after all that lives on it, whosever it is. */
  private async close(): Promise<void> {
    await this.made?.close()
    const ending = new Set([...this.lodgings, ...this.lodgers])
    for (const capability of CAPABILITIES) {
      await Promise.all([...ending].map(async (each) => each.capability === capability && each.end()))
    }
    await this.redis?.close()
  }

  /** Of this connection, wherever they live. */
  private get lodgings(): readonly Lodging[] {
    return [this.limits, this.locks, this.sessions, this.tokens, this.messages]
  }

  /** What lives here, of all connections of the application. */
  private get lodgers(): readonly Lodging[] {
    const providers = [...this.modules.values()].flatMap((module) => [...module.providers.values()])
    const runtimes = new Set(providers.map(({ instance }): unknown => instance))
    return [...runtimes]
      .flatMap((each) => (each instanceof CacheRuntime ? each.lodgings : []))
      .filter(({ home }) => home === this.home)
  }

  private wantedHere(): readonly Capability[] {
    return this.lodgers.filter(({ wanted }) => wanted).map(({ capability }) => capability)
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

  /** @throws ConfigurationError `use` names a connection that there is not */
  private placeOf(capability: Capability): LodgingPlace {
    const { name } = this
    const { [capability]: named } = this.options.use
    const livesOn = named === name ? undefined : named
    if (livesOn !== undefined && this.modulesOf(livesOn).length === 0) {
      const mend = `no RedisCacheModule.forRoot of this application is named '${livesOn}'; import one beside this`
      throw new ConfigurationError(`use.${capability}`, mend)
    }
    return {
      ...{ name, livesOn },
      homeOf: (other) => (other === undefined ? this : this.runtimeOf(other))?.home,
      isWanted: (tokens) => new Injections(this.modules).wants(tokens, this.own),
    }
  }

  /** What of this connection's injects something for no reason of its own. */
  private get own(): Set<ReturnType<typeof getVextrusToken>> {
    const settings = [RateLimitGuardSettings, SessionGuardSettings, JwtGuardSettings] as const
    const made = [CacheRuntime, CachePresets, Tenancy, ...settings, MessageHandlers, RedisConnection] as const
    return this.tokensOf(...made, RedisCacheService, CacheService)
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
