import type { Lifetime } from './cache-store.js'
import type { LoadStop } from './load-stop.js'
import type { LoadTimeouts } from './load-timeouts.js'

/** What a loader is given. Settings made on it count for this load alone. */
export interface LoadContext {
  /** The key that is loaded. */
  readonly key: string
  /**
   * Aborted when what the loader does is in vain: after `loadTimeout.hard` (the reason is the `LoadTimeoutError`), when all who waited for the
   * value have aborted their own `signal` (the reason is the last one's), and when the cache closes. Hand it to `fetch`, or to the database.
   */
  readonly signal: AbortSignal
  /**
   * The value that is to be replaced, where a stale one was found, or one that is loaded anew a little early: for a conditional request, for
   * instance. A copy of its own.
   */
  readonly stale?: { readonly value: unknown }
  /** Overrides the lifetime: seconds, or a string such as `'5m'`. @throws InvalidDurationError */
  setTtl(ttl: number | string): void
  /** Adds tags to those of the options. @throws InvalidKeyError */
  addTags(...tags: string[]): void
  /** The value is answered and not stored. */
  skip(): void
}

/** How one caller would load a key, and how long it waits. */
export interface LoadPlan {
  readonly timeouts: LoadTimeouts
  /** The caller's own: aborted, it waits no more. */
  readonly signal: AbortSignal | undefined
  /** The key as the caller wrote it. */
  ownKey(): string
  /** Calls the user's loader. */
  load(context: LoadContext): unknown
  /** @param stop ends the load @param stale what the load is to replace */
  newContext(stop: LoadStop, stale: { readonly value: unknown } | undefined): PlanContext
  /** How the loaded value is to be stored; null: not at all. May throw what the user's callbacks throw. */
  storing(value: unknown, context: PlanContext): Storing | null
}

/** How a loaded value is stored. */
export interface Storing extends Lifetime {
  readonly tags: readonly string[]
  /** For how long a process may keep it in its memory, ms; undefined: as long as it keeps others. */
  readonly nearMs: number | undefined
}

/** The loader's context with what was set on it. */
export interface PlanContext extends LoadContext {
  readonly stop: LoadStop
  readonly ttlMs: number | null
  readonly tags: readonly string[]
  readonly skipped: boolean
}
