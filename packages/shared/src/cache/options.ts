import { type Clock, systemClock } from '../kernel/clock.js'
import { type Ttl, ttlToMs } from '../kernel/duration.js'
import type { ValueCodecOptions } from '../kernel/codec/value-codec.js'
import { ConfigurationError } from '../kernel/errors.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { type LoadTimeout, type LoadTimeouts, resolveLoadTimeout } from './load-timeouts.js'
import { type NearOptions, resolveNearOptions, type ResolvedNearOptions } from './near-options.js'
import type { SensitiveOptions } from './sensitive.js'
import type { TenancyOptions } from './tenancy.js'

/** How a cache behaves. Every field also accepts undefined, which means its default. */
export interface CacheOptions {
  /** Lifetime of an entry when the call names none: seconds, or a string such as `'5m'`. @default 300 */
  readonly defaultTtl?: Ttl | undefined
  /** The longest lifetime that a call may ask for. @default '30d' */
  readonly maxTtl?: Ttl | undefined
  /** By which share the lifetime of a *loaded* entry is shortened at most, at random, so that what was loaded together does not expire together. 0 to 0.5. @default 0.05 */
  readonly jitter?: number | undefined
  /** For how long a `null` that a loader answers is kept; false: not at all. @default false */
  readonly cacheNull?: Ttl | false | undefined
  /** For how long after its TTL an entry is still served, while one caller in the fleet loads it anew; false: not at all. @default false */
  readonly grace?: Ttl | false | undefined
  /** True: `getOrSet` may load an entry anew shortly before its TTL ends, at random (XFetch), so that nobody ever waits. @default true */
  readonly earlyRefresh?: boolean | undefined
  /** How long `getOrSet` waits for a load, where a stale value is at hand and where there is none. @default `{ hard: '30s' }` */
  readonly loadTimeout?: LoadTimeout | undefined
  /** How many loads of this process run at once while the store is away; the others wait for their turn. @default 100 */
  readonly loadConcurrency?: number | undefined
  /** The cache in this process's memory, in front of Redis; false: there is none. @default on: 64 MiB, 50,000 values, 60 s, copies, at most 2 s stale */
  readonly l1?: false | NearOptions | undefined
  /** How values become text or bytes: `'json'`, `'msgpack'` (the package msgpackr), or your own. @default 'json' */
  readonly serializer?: ValueCodecOptions['serializer']
  /** From how many bytes on values are compressed, off the event loop, and how; false: never. @default 65,536 bytes, gzip */
  readonly compression?: ValueCodecOptions['compression']
  /** Above it a value is not stored. @default 8 MiB after compression; without compression 1 MiB */
  readonly maxValueBytes?: ValueCodecOptions['maxValueBytes']
  /** Keys for AES-256-GCM: the first one encrypts, all decrypt. @default values are not encrypted */
  readonly encryption?: ValueCodecOptions['encryption']
  /** How tenants are kept apart. @default nothing is refused */
  readonly tenancy?: TenancyOptions | undefined
  /** What happens to values with fields such as `password` or a card number. @default explicit writes reject */
  readonly sensitive?: SensitiveOptions | undefined
  /** One debug line a miss, group and key; `sample`: the share of misses that are written, 0 to 1. @default false */
  readonly logMisses?: boolean | { readonly sample: number } | undefined
  /** Most tags whose invalidation the clock remembers; beyond it the oldest are forgotten and old tagged entries become misses. @default 100_000 */
  readonly maxTags?: number | undefined
}

/** What a cache takes from its surroundings. */
export interface CacheDependencies {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  readonly logger?: CacheLogger | undefined
}

/** Where a cache writes. Values never appear in a line. */
export interface CacheLogger {
  debug(message: string): void
  warn(message: string): void
}

/** {@link CacheOptions}, checked and merged. */
export interface ResolvedCacheOptions {
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
  readonly jitter: number
  readonly cacheNullMs: number | null
  /** 0: none. */
  readonly graceMs: number
  readonly earlyRefresh: boolean
  readonly loadTimeout: LoadTimeouts
  readonly loadConcurrency: number
  /** Share of misses that are logged. */
  readonly missSample: number
  readonly maxTags: number
  /** Null: without L1. */
  readonly near: ResolvedNearOptions | null
}

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveCacheOptions(options: CacheOptions): ResolvedCacheOptions {
  const maxTtlMs = ttlToMs(options.maxTtl ?? '30d', 'maxTtl')
  const { jitter = 0.05, logMisses = false, maxTags = 100_000, cacheNull = false, grace = false } = options
  const { earlyRefresh = true, loadConcurrency = 100 } = options
  if (!(jitter >= 0 && jitter <= 0.5)) throw new ConfigurationError('jitter', 'must be a number from 0 to 0.5')
  if (!Number.isInteger(maxTags) || maxTags < 100)
    throw new ConfigurationError('maxTags', 'must be an integer of at least 100')
  if (typeof earlyRefresh !== 'boolean') throw new ConfigurationError('earlyRefresh', 'must be true or false')
  if (!Number.isInteger(loadConcurrency) || loadConcurrency < 1)
    throw new ConfigurationError('loadConcurrency', 'must be an integer of at least 1')
  const missSample = typeof logMisses === 'object' ? logMisses.sample : Number(logMisses)
  if (!(missSample >= 0 && missSample <= 1))
    throw new ConfigurationError('logMisses.sample', 'must be a number from 0 to 1')
  return Object.freeze({
    defaultTtlMs: ttlToMs(options.defaultTtl ?? Math.min(300, maxTtlMs / 1_000), 'defaultTtl', maxTtlMs),
    maxTtlMs,
    jitter,
    cacheNullMs: cacheNull === false ? null : ttlToMs(cacheNull, 'cacheNull', maxTtlMs),
    graceMs: grace === false ? 0 : ttlToMs(grace, 'grace', maxTtlMs),
    earlyRefresh,
    loadTimeout: resolveLoadTimeout(options.loadTimeout),
    loadConcurrency,
    missSample,
    maxTags,
    near: resolveNearOptions(options.l1, maxTtlMs),
  })
}

/** The surroundings of a cache that were not given. */
export const defaultDependencies = Object.freeze({
  clock: systemClock,
  random: systemRandom,
  logger: { debug: () => undefined, warn: () => undefined } satisfies CacheLogger,
})
