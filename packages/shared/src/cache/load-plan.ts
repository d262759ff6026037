import type { Lifetime } from './cache-store.js'

/** What a loader is given. Settings made on it count for this load alone. */
export interface LoadContext {
  /** The key that is loaded. */
  readonly key: string
  /** Overrides the lifetime: seconds, or a string such as `'5m'`. @throws InvalidDurationError */
  setTtl(ttl: number | string): void
  /** Adds tags to those of the options. @throws InvalidKeyError */
  addTags(...tags: string[]): void
  /** The value is answered and not stored. */
  skip(): void
}

/** How one caller would load a key. */
export interface LoadPlan {
  /** Calls the user's loader. */
  load(context: LoadContext): unknown
  newContext(): PlanContext
  /** How the loaded value is to be stored; null: not at all. May throw what the user's callbacks throw. */
  storing(value: unknown, context: PlanContext): (Lifetime & { readonly tags: readonly string[] }) | null
}

/** The loader's context with what was set on it. */
export interface PlanContext extends LoadContext {
  readonly ttlMs: number | null
  readonly tags: readonly string[]
  readonly skipped: boolean
}
