import type { Ttl } from '../kernel/duration.js'
import type { LoadTimeout } from './load-timeouts.js'
import type { NearCallOption } from './near-options.js'

export type { LoadContext } from './load-plan.js'
export type { LoadTimeout } from './load-timeouts.js'

/** What `lookup` found. */
export interface Lookup<T> {
  /** True also for a cached null. */
  readonly hit: boolean
  readonly value: T | null
  /** Which level answered, this process's memory or the store; null at a miss. */
  readonly level: 'l1' | 'l2' | null
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
  /** For how long at most a process keeps the entry in its memory (L1), whoever reads it; false: not at all. @default the module's `l1` */
  readonly l1?: NearCallOption | undefined
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
  /**
   * False: this call does not ask the process's memory (L1), and no process keeps what is loaded; or for how long one does. @default the
   * module's `l1`
   */
  readonly l1?: NearCallOption | undefined
  /** How long this caller waits for a load; what it leaves open is as the module says. @default the module's `loadTimeout` */
  readonly loadTimeout?: LoadTimeout | undefined
  /**
   * Aborted: the call rejects with the signal's reason, at once while it waits for a load; when it was aborted before, without any I/O. The
   * load goes on for others that wait for it. @default none
   */
  readonly signal?: AbortSignal | undefined
}
