import type { RandomSource } from '../kernel/random.js'
import { ttlToMs } from '../kernel/duration.js'
import type { Lifetime, StoredEntry } from './cache-store.js'
import type { EntryReader, Found } from './entry-reader.js'
import type { LoadContext, LoadPlan, PlanContext } from './load-plan.js'
import type { Loads } from './loader.js'
import type { ResolvedCacheOptions } from './options.js'
import type { Scope } from './scope.js'
import { joinedTags, storedTags } from './tags.js'
import { UNREADABLE, type Values } from './values.js'

/** What a call of `getOrSet` says of the entry that it would store. */
export interface ReadThroughOptions<T> {
  readonly ttlMs: number | ((value: T) => number)
  readonly graceMs: number
  /** As they are stored, or the caller's, which depend on the value. */
  readonly tags: readonly string[] | ((value: T) => readonly string[])
  /** Null: a loaded null is not stored. */
  readonly cacheNullMs: number | null
}

/**
 * Read, else load: the loop behind `getOrSet`.
 *
 * A read that finds nothing joins the key's load; what comes of it is a value, or the advice to read again – after waiting for another
 * process, or when a fill is already on its way. What it finds is answered at once, also when it is stale: then one caller in the whole fleet
 * loads it anew, and nobody waits for that (R15).
 */
export class ReadThrough {
  constructor(
    private readonly reader: EntryReader,
    private readonly loads: Loads,
    private readonly values: Values,
    private readonly options: ResolvedCacheOptions,
    private readonly random: RandomSource,
  ) {}

  /** @param scope maps the names that the loader gives @param onRead told once what the first read found */
  async get<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    options: ReadThroughOptions<T>,
    scope: Scope,
    onRead: (found: Found) => void,
  ): Promise<T> {
    const caller = this.loads.newCaller(this.plan(key, load, options, scope))
    for (let first = true; ; first = false) {
      const found = await this.reader.read(key)
      const { entry } = found
      // Most values are read without a promise, and an await would cost each hit a turn of the queue.
      let value = entry === null ? UNREADABLE : this.values.read(key, entry)
      if (value instanceof Promise) value = await value
      if (first) onRead(value === UNREADABLE && entry !== null ? { ...found, entry: null } : found)
      caller.replaces = entry
      if (entry !== null && value !== UNREADABLE) {
        if (this.wantsRefresh(entry, found.nowMs)) this.loads.refresh(key, caller)
        return value as T
      }
      caller.away = found.away
      caller.held = found.held
      const outcome = await this.loads.join(key, caller)
      if (outcome !== null) return outcome.value as T
    }
  }

  /**
   * Stale, or by chance a little sooner, the likelier the nearer the end and the longer its load: so that the first of many callers loads
   * before all of them miss. XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015, β = 1.
   */
  private wantsRefresh({ softAt, deltaMs }: StoredEntry, nowMs: number): boolean {
    if (nowMs >= softAt) return true
    // The logarithm of a double's smallest share is above −37: most hits need neither it nor chance.
    if (!this.options.earlyRefresh || nowMs + 37 * deltaMs < softAt) return false
    return deltaMs > 0 && nowMs - deltaMs * Math.log(1 - this.random.float()) >= softAt
  }

  private plan<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    { ttlMs, graceMs, tags, cacheNullMs }: ReadThroughOptions<T>,
    scope: Scope,
  ): LoadPlan {
    return {
      load: load as (context: LoadContext) => unknown,
      newContext: () => new LoadSettings(scope, scope.ownKey(key), this.options.maxTtlMs),
      storing: (value, context) => {
        if (context.skipped || value === undefined) return null
        if (value === null) {
          if (cacheNullMs === null) return null
          // Tags of a loaded null are those that don't depend on it.
          return this.stored(
            context.ttlMs ?? cacheNullMs,
            graceMs,
            typeof tags === 'function' ? scope.marks : tags,
            context,
          )
        }
        const ms = context.ttlMs ?? (typeof ttlMs === 'function' ? ttlMs(value as T) : ttlMs)
        const own = typeof tags === 'function' ? storedTags(scope, tags(value as T)) : tags
        return this.stored(ms, graceMs, own, context)
      },
    }
  }

  private stored(
    ms: number,
    graceMs: number,
    own: readonly string[],
    context: PlanContext,
  ): Lifetime & { readonly tags: readonly string[] } {
    // The lifetime is only ever made shorter: nobody gets an entry that is older than was asked for.
    const ttlMs = Math.max(1, Math.round(ms * (1 - this.options.jitter * this.random.float())))
    return { ttlMs, graceMs, tags: context.tags.length === 0 ? own : joinedTags(own, context.tags) }
  }
}

class LoadSettings implements PlanContext {
  ttlMs: number | null = null
  tags: readonly string[] = []
  skipped = false

  constructor(
    private readonly scope: Scope,
    readonly key: string,
    private readonly maxTtlMs: number,
  ) {}

  readonly setTtl = (ttl: number | string): void => {
    this.ttlMs = ttlToMs(ttl, 'setTtl', this.maxTtlMs)
  }

  readonly addTags = (...tags: string[]): void => {
    this.tags = joinedTags(this.tags, storedTags(this.scope, tags))
  }

  readonly skip = (): void => {
    this.skipped = true
  }
}
