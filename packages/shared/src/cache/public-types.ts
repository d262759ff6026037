import type { Ttl } from '../kernel/duration.js'

export type { LoadContext } from './load-plan.js'

/** What `lookup` found. */
export interface Lookup<T> {
  /** True also for a cached null. */
  readonly hit: boolean
  readonly value: T | null
  /** Which level answered; null at a miss. */
  readonly level: 'l2' | null
  /** The lifetime asked for is over and the entry is served all the same. */
  readonly stale: boolean
  /** Milliseconds until it is stale; 0 when it is, null at a miss, Infinity for a foreign writer's key without an expiry. */
  readonly ttlMs: number | null
  readonly tags: readonly string[]
}

/** How `set` stores. */
export interface SetOptions {
  /** Seconds, or a string such as `'5m'`. @default the module's `defaultTtl`, 300 */
  readonly ttl?: Ttl | undefined
  /** @default none */
  readonly tags?: readonly string[] | undefined
  /**
   * Of the data: a row's version or the time of its change. A `set` of a lower version does not replace an entry of a higher one that is
   * there. A whole number from 0, a bigint, or a Date. @default none: the last one wins
   */
  readonly version?: number | bigint | Date | undefined
  /** For how long after its TTL the entry is still served, while one caller loads it anew; false: not at all. @default the module's `grace` */
  readonly grace?: Ttl | false | undefined
  /** `'throw'`: rejects when the value could not be stored. @default it resolves and counts an error */
  readonly onUnavailable?: 'throw' | undefined
}

/** One entry of `setMany`. */
export interface SetManyEntry {
  readonly key: string
  readonly value: unknown
  /** @default that of the options */
  readonly ttl?: Ttl | undefined
  /** @default those of the options */
  readonly tags?: readonly string[] | undefined
  /** @default that of the options */
  readonly version?: number | bigint | Date | undefined
}

/** How `setMany` stores what its entries leave open. */
export type SetManyOptions = SetOptions

/** How `getOrSet` stores what it loads. */
export interface GetOrSetOptions<T> {
  /** Seconds, a string such as `'5m'`, or a function of the loaded value; it is not called for null. @default the module's `defaultTtl` */
  readonly ttl?: Ttl | ((value: T) => Ttl) | undefined
  /** Tags, or a function of the loaded value; it is not called for null. @default none */
  readonly tags?: readonly string[] | ((value: T) => readonly string[]) | undefined
  /** For how long after its TTL the entry is still served, while one caller loads it anew; false: not at all. @default the module's `grace` */
  readonly grace?: Ttl | false | undefined
  /** For how long a loaded null is kept; false: not at all. @default the module's `cacheNull` */
  readonly cacheNull?: Ttl | false | undefined
}
