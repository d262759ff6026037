import { type Duration, durationToMs, type Ttl, ttlToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'

/** The cache in this process's memory (L1), in front of Redis. */
export interface NearOptions {
  /** What all values together may weigh, bytes. @default 67_108_864 (64 MiB) */
  readonly maxBytes?: number | undefined
  /** @default 50_000 */
  readonly maxEntries?: number | undefined
  /** For how long a value is kept, at most; it goes sooner when its entry changes or expires. @default 60 s */
  readonly ttl?: Ttl | undefined
  /**
   * What a hit hands out. `'copy'`: a deep copy, the caller's own. `'frozen'`: the same object to everybody, frozen in depth, as is then everything
   * that comes out of the cache; values with a Date, Map, Set or bytes are copied all the same. `'shared'`: the same object, and whoever
   * changes it changes it for all. @default 'copy'
   */
  readonly values?: NearValuesMode | undefined
  /**
   * A hit is at least as fresh as every write acknowledged this long ago; usually it is fresher, by milliseconds. At least 100 ms. Or `'strict'`:
   * as fresh as every write acknowledged before the read began, at the price of one PING a tick. @default 2_000 ms
   */
  readonly staleness?: Duration | undefined
  /** Compares a share of the hits with Redis, and counts the stale ones by age; for finding out. @default off */
  readonly audit?: false | { readonly sample: number } | undefined
}

/** See {@link NearOptions.values}. */
export type NearValuesMode = 'copy' | 'frozen' | 'shared'

/** For a single call or method: false: L1 is neither asked nor filled; or for how long it keeps the value. */
export type NearCallOption = false | { readonly ttl: Ttl }

/** {@link NearOptions}, checked and merged. */
export interface ResolvedNearOptions {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly ttlMs: number
  readonly values: NearValuesMode
  readonly stalenessMs: number
  readonly strict: boolean
  /** Share of hits that are compared; 0: none. */
  readonly auditSample: number
}

const DEFAULT_STALENESS_MS = 2_000
/** Below it the proofs of freshness alone would keep a connection busy. */
const LEAST_STALENESS_MS = 100

const KNOWN: readonly (keyof NearOptions)[] = ['maxBytes', 'maxEntries', 'ttl', 'values', 'staleness', 'audit']

/** @returns null: there is no L1 @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveNearOptions(
  options: false | NearOptions | undefined,
  maxTtlMs: number,
): ResolvedNearOptions | null {
  if (options === false) return null
  if (options !== undefined && (typeof options !== 'object' || options === null))
    throw new ConfigurationError('l1', 'must be false, or an object of options')
  for (const name of Object.keys(options ?? {})) {
    if (!KNOWN.includes(name as keyof NearOptions))
      throw new ConfigurationError(`l1.${name}`, `no such option; there are ${KNOWN.join(', ')}`)
  }
  const { maxBytes = 67_108_864, maxEntries = 50_000, ttl, values = 'copy', staleness, audit = false } = options ?? {}
  for (const [name, number] of Object.entries({ maxBytes, maxEntries })) {
    if (!Number.isSafeInteger(number) || number < 1)
      throw new ConfigurationError(`l1.${name}`, 'must be a whole number above 0; `l1: false` keeps nothing in memory')
  }
  if (!['copy', 'frozen', 'shared'].includes(values))
    throw new ConfigurationError('l1.values', "must be 'copy', 'frozen' or 'shared'")
  const strict = staleness === 'strict'
  const stalenessMs = strict || staleness === undefined ? DEFAULT_STALENESS_MS : durationToMs(staleness, 'l1.staleness')
  if (stalenessMs < LEAST_STALENESS_MS)
    throw new ConfigurationError('l1.staleness', `must be at least ${LEAST_STALENESS_MS} ms, or 'strict'`)
  const auditSample = audit === false ? 0 : audit.sample
  if (!(auditSample >= 0 && auditSample <= 1))
    throw new ConfigurationError('l1.audit.sample', 'must be a number from 0 to 1')
  const ttlMs = ttl === undefined ? Math.min(60_000, maxTtlMs) : ttlToMs(ttl, 'l1.ttl', maxTtlMs)
  return Object.freeze({ maxBytes, maxEntries, ttlMs, values, stalenessMs, strict, auditSample })
}

/** Milliseconds for one call; undefined: as the module says; 0: not at all. @throws InvalidDurationError, ConfigurationError */
export function nearMsOf(option: NearCallOption | undefined, maxTtlMs: number): number | undefined {
  if (option === undefined) return undefined
  if (option === false) return 0
  if (typeof option !== 'object' || option === null)
    throw new ConfigurationError('l1', "must be false, or { ttl: '10s' }")
  return ttlToMs(option.ttl, 'l1.ttl', maxTtlMs)
}
