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
  /** Milliseconds that the entry still has; null at a miss. */
  readonly ttlMs: number | null
  readonly tags: readonly string[]
}

/** How `set` stores. */
export interface SetOptions {
  /** Seconds, or a string such as `'5m'`. @default the module's `defaultTtl`, 300 */
  readonly ttl?: Ttl | undefined
  /** @default none */
  readonly tags?: readonly string[] | undefined
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
}

/** How `setMany` stores what its entries leave open. */
export type SetManyOptions = SetOptions

/** How `getOrSet` stores what it loads. */
export interface GetOrSetOptions<T> {
  /** Seconds, a string such as `'5m'`, or a function of the loaded value; it is not called for null. @default the module's `defaultTtl` */
  readonly ttl?: Ttl | ((value: T) => Ttl) | undefined
  /** Tags, or a function of the loaded value; it is not called for null. @default none */
  readonly tags?: readonly string[] | ((value: T) => readonly string[]) | undefined
  /** For how long a loaded null is kept; false: not at all. @default the module's `cacheNull` */
  readonly cacheNull?: Ttl | false | undefined
}
