import type { CachePattern } from '../cache/nest/cache-pattern.js'
import { CachePresets } from '../cache/nest/cache-pattern.js'
import { type CacheOptions, resolveCacheOptions } from '../cache/options.js'
import { SensitiveData } from '../cache/sensitive.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { Tenancy } from '../cache/tenancy.js'
import { ValueCodec } from '../kernel/codec/value-codec.js'
import type { Ttl } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import { checkJwtOptions, type JwtOptions } from '../jwt/nest/jwt-options.js'
import { type LockOptions, resolveLockOptions } from '../lock/options.js'
import { type PubSubOptions, resolvePubSubOptions } from '../pubsub/options.js'
import { checkRateLimitOptions, type RateLimitOptions } from '../rate-limit/nest/rate-limit-options.js'
import { Keyspace } from '../redis/keyspace.js'
import { type RedisConnectionOptions, resolveOptions } from '../redis/options.js'
import { readSessionOptions, type SessionModuleOptions } from '../session/nest/session-options.js'

/**
 * What `RedisCacheModule.forRoot` takes. Every field also accepts undefined, as environment variables give it. What is unknown, can't be used
 * or contradicts another field is refused at start with a `ConfigurationError` that names the option.
 */
export interface RedisCacheModuleOptions extends RedisConnectionOptions, Omit<CacheOptions, 'maxTags'> {
  /** `'memory'`: in process, for tests, a laptop, or a program of one process. @default 'redis' */
  readonly driver?: 'redis' | 'memory' | undefined
  /** With `driver: 'memory'`: modules that are given the same hub share it as if it were one server. @default one for each module */
  readonly memory?: MemoryHub | undefined
  /** One word of letters, digits, `_`, `.` and `-`, and a colon, which is added when missing. @default 'vextrus:' */
  readonly keyPrefix?: string | undefined
  /** True: the boot fails when Redis can't be reached. False: the application boots, warns once, and recovers. @default false */
  readonly required?: boolean | undefined
  /**
   * What happens to the entries of a master that another one has replaced: `'flush'`, they are misses, because the new master may lack the last
   * invalidations; `'trust'`, they are served. @default 'flush'
   */
  readonly onFailover?: 'flush' | 'trust' | undefined
  /** TTLs of single patterns, in place of theirs. Numbers are seconds. @default none */
  readonly presets?: Partial<Record<CachePattern, Ttl | undefined>> | undefined
  /** Defaults of locks. */
  readonly lock?: LockOptions | undefined
  /** Rate limits, and their guard. */
  readonly rateLimit?: RateLimitOptions | undefined
  /** Sessions, and their guard. */
  readonly session?: SessionModuleOptions | undefined
  /** Revoked JWTs and families of refresh tokens, and the guard. */
  readonly jwt?: JwtOptions | undefined
  /** Messages between processes. */
  readonly pubsub?: PubSubOptions | undefined
  /** Other connections, by the `name` of their `forRoot`, on which a capability lives. @default all live on this one */
  readonly use?: UseOptions | undefined
}

/** What {@link RedisCacheModuleOptions.use} takes. */
export interface UseOptions {
  /** For locks: a server that evicts nothing. Keys then begin with that connection's `keyPrefix`. */
  readonly lock?: string | undefined
  /** For rate limits: a server that evicts nothing. Their keys, too, then begin with that connection's `keyPrefix`. */
  readonly rateLimit?: string | undefined
  /** For sessions: a server that evicts nothing. */
  readonly session?: string | undefined
  /** For revoked JWTs and families of refresh tokens: a server that evicts nothing. All who check the same tokens name the same. */
  readonly jwt?: string | undefined
  /** For messages. Whoever publishes and whoever listens name the same server and the same `keyPrefix`. */
  readonly pubsub?: string | undefined
}

/** What may live on another connection, in the order in which it ends. */
export const CAPABILITIES = ['rateLimit', 'session', 'jwt', 'pubsub', 'lock'] as const satisfies (keyof UseOptions)[]
/** One of {@link CAPABILITIES}. */
export type Capability = (typeof CAPABILITIES)[number]

/** The options, read and checked. */
export interface ResolvedModuleOptions {
  /** Undefined: memory. */
  readonly connection: RedisConnectionOptions | undefined
  readonly hub: MemoryHub | undefined
  readonly keyspace: Keyspace
  readonly required: boolean
  readonly onFailover: 'flush' | 'trust'
  readonly cache: CacheOptions
  /** Undefined: without L1. */
  readonly stalenessMs: number | undefined
  readonly tenancy: Tenancy
  readonly presets: CachePresets
  readonly lock: LockOptions | undefined
  readonly rateLimit: RateLimitOptions
  readonly session: ReturnType<typeof readSessionOptions>
  readonly jwt: JwtOptions
  readonly pubsub: PubSubOptions
  readonly use: UseOptions
}

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveModuleOptions(options: RedisCacheModuleOptions): ResolvedModuleOptions {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('forRoot', 'needs an object of options; `{}` is a Redis at localhost:6379')
  }
  for (const name of Object.keys(options)) {
    if (name === 'name' || name === 'isGlobal') {
      throw new ConfigurationError(name, 'stands beside `useFactory`, not in what it answers')
    }
    if (!KNOWN.has(name)) throw new ConfigurationError(name, `no such option; there are ${[...KNOWN].join(', ')}`)
  }
  const {
    driver = 'redis',
    memory,
    keyPrefix,
    required = false,
    onFailover = 'flush',
    presets,
    lock,
    rateLimit = {},
    session = {},
    jwt = {},
    pubsub = {},
    use = {},
  } = options
  if (driver !== 'redis' && driver !== 'memory') throw new ConfigurationError('driver', "must be 'redis' or 'memory'")
  if (typeof required !== 'boolean') throw new ConfigurationError('required', 'must be true or false')
  if (onFailover !== 'flush' && onFailover !== 'trust') {
    throw new ConfigurationError('onFailover', "must be 'flush' or 'trust'")
  }
  if (memory !== undefined && !(memory instanceof MemoryHub))
    throw new ConfigurationError('memory', 'must be a MemoryHub')
  if (driver === 'redis' && memory !== undefined) {
    throw new ConfigurationError('memory', "contradicts driver: 'redis'; leave it out, or set driver: 'memory'")
  }
  if (driver === 'memory') refuseServer(options)
  checkUse(use)
  resolveLockOptions(lock)
  checkRateLimitOptions(rateLimit)
  checkJwtOptions(jwt)
  resolvePubSubOptions(pubsub)

  const cache = pick(options, CACHE_OPTIONS)
  const connection = driver === 'redis' ? pick(options, CONNECTION_OPTIONS) : undefined
  if (connection !== undefined) resolveOptions(connection)
  // Refused here, by name, also in an application that puts something else in the cache's place.
  for (const make of [() => new ValueCodec(cache), () => new SensitiveData(cache.sensitive)]) make()
  const { near, maxTtlMs } = resolveCacheOptions(cache)
  return {
    connection,
    hub: memory,
    keyspace: new Keyspace(keyPrefix),
    required,
    onFailover,
    cache,
    stalenessMs: near?.stalenessMs,
    tenancy: new Tenancy(cache.tenancy),
    presets: new CachePresets(presets, maxTtlMs),
    lock,
    rateLimit,
    session: readSessionOptions(session),
    jwt,
    pubsub,
    use,
  }
}

const CONNECTION_OPTIONS = [
  'host',
  'port',
  'username',
  'password',
  'db',
  'tls',
  'url',
  'sentinels',
  'cluster',
  'client',
  'clientOptions',
  'commandTimeout',
] as const satisfies (keyof RedisConnectionOptions)[]

const CACHE_OPTIONS = [
  'defaultTtl',
  'maxTtl',
  'jitter',
  'cacheNull',
  'grace',
  'earlyRefresh',
  'loadTimeout',
  'l1',
  'loadConcurrency',
  'serializer',
  'compression',
  'maxValueBytes',
  'encryption',
  'tenancy',
  'sensitive',
  'logMisses',
] as const satisfies (keyof CacheOptions)[]

const KNOWN: ReadonlySet<string> = new Set([
  ...['driver', 'memory', 'keyPrefix', 'required', 'onFailover', 'presets', 'use', ...CAPABILITIES],
  ...CONNECTION_OPTIONS,
  ...CACHE_OPTIONS,
])

/** A server that is named and not used would be found missing only in production. */
function refuseServer(options: RedisCacheModuleOptions): void {
  const named = [...CONNECTION_OPTIONS, 'required' as const, 'onFailover' as const].find(
    (name) => options[name] !== undefined && options[name] !== false,
  )
  if (named === undefined) return
  throw new ConfigurationError(named, "contradicts driver: 'memory', which uses no server; leave out one of the two")
}

function checkUse(use: UseOptions): void {
  if (typeof use !== 'object' || use === null) {
    throw new ConfigurationError('use', "must be an object of names of connections, such as { lock: 'locks' }")
  }
  for (const [capability, name] of Object.entries(use)) {
    if (!(CAPABILITIES as readonly string[]).includes(capability)) {
      throw new ConfigurationError(`use.${capability}`, `no such capability; there are ${CAPABILITIES.join(', ')}`)
    }
    if (name !== undefined && (typeof name !== 'string' || name === '')) {
      throw new ConfigurationError(`use.${capability}`, 'must be the `name` of a RedisCacheModule.forRoot')
    }
  }
}

function pick<Options extends object, Name extends keyof Options>(
  options: Options,
  names: readonly Name[],
): Pick<Options, Name> {
  return Object.fromEntries(names.map((name) => [name, options[name]])) as Pick<Options, Name>
}
