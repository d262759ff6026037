import type { RandomSource } from '../kernel/random.js'
import { ttlToMs } from '../kernel/duration.js'
import type { StoredEntry } from './cache-store.js'
import { type Caller, LEFT } from './caller.js'
import { isRefreshDue } from './early-refresh.js'
import type { Found } from './entry-reader.js'
import type { LoadContext, LoadPlan, PlanContext, Storing } from './load-plan.js'
import type { LoadStop } from './load-stop.js'
import { type LoadTimeout, resolveLoadTimeout } from './load-timeouts.js'
import type { Loads } from './loader.js'
import type { ResolvedCacheOptions } from './options.js'
import type { Scope } from './scope.js'
import type { Reads } from './reads.js'
import { joinedTags, storedTags } from './tags.js'
import { UNREADABLE } from './values.js'

/** What a call of `getOrSet` says of the entry that it would store. */
export interface ReadThroughOptions<T> {
  readonly ttlMs: number | ((value: T) => number)
  readonly graceMs: number
  /** As they are stored, or the caller's, which depend on the value. */
  readonly tags: readonly string[] | ((value: T) => readonly string[])
  /** Null: a loaded null is not stored. */
  readonly cacheNullMs: number | null
  /** For how long L1 keeps it, ms; undefined: as long as others; 0: it is neither asked nor filled. */
  readonly nearMs: number | undefined
  /** Undefined: the module's. */
  readonly loadTimeout: LoadTimeout | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Read, else load: the loop behind `getOrSet`.
 *
 * A read that finds nothing joins the key's load; what comes of it is a value, or the advice to read again – after waiting for another
 * process, or when a fill is already on its way. What it finds is answered at once, also when it is stale: then one caller in the whole fleet
 * loads it anew, and nobody waits for that (R15). With a soft time-out a caller who found a stale value waits a little for the new one.
 */
export class ReadThrough {
  constructor(
    private readonly reads: Reads,
    private readonly loads: Loads,
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
    try {
      for (let first = true; ; first = false) {
        const reading = this.reads.read(key, options.nearMs, first)
        const read = await (first ? reading : caller.within(reading))
        if (read === LEFT) return caller.parting() as T
        const { value, found, entry } = read
        if (first) onRead(found)
        caller.replaces = entry
        // What a store that gives no answer now has shown before is still good enough for a caller who asked then.
        if (!found.away) caller.stale = caller.fallback = null
        if (value !== UNREADABLE) {
          const { nowMs } = found
          if (!isRefreshDue(entry!, nowMs, this.options.earlyRefresh, this.random)) return value as T
          caller.stale = entry
          if (!this.isWorthWaiting(key, caller, entry!, nowMs)) {
            this.loads.refresh(key, caller)
            return value as T
          }
          caller.fallback = { value }
        }
        caller.away = found.away
        caller.held = found.held
        const outcome = await this.loads.join(key, caller)
        if (outcome !== null) return outcome.value as T
      }
    } finally {
      caller.end()
    }
  }

  /** With a soft time-out a stale value is the second choice, unless its loader has just failed. */
  private isWorthWaiting(key: string, { plan }: Caller, entry: StoredEntry, nowMs: number): boolean {
    return plan.timeouts.softMs !== null && nowMs >= entry.softAt && !this.loads.isPaused(key, entry)
  }

  /** Loads behind the caller's back what L1 has answered and found due. */
  refresh<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    options: ReadThroughOptions<T>,
    scope: Scope,
    entry: StoredEntry,
  ): void {
    const caller = this.loads.newCaller(this.plan(key, load, options, scope))
    caller.replaces = caller.stale = entry
    this.loads.refresh(key, caller)
  }

  private plan<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    { ttlMs, graceMs, tags, cacheNullMs, nearMs, loadTimeout, signal }: ReadThroughOptions<T>,
    scope: Scope,
  ): LoadPlan {
    return {
      timeouts: resolveLoadTimeout(loadTimeout, this.options.loadTimeout),
      signal,
      ownKey: () => scope.ownKey(key),
      load: load as (context: LoadContext) => unknown,
      newContext: (stop, stale) => new LoadSettings(scope, scope.ownKey(key), this.options.maxTtlMs, stop, stale),
      storing: (value, context) => {
        if (context.skipped || value === undefined) return null
        if (value === null) {
          if (cacheNullMs === null) return null
          // Tags of a loaded null are those that don't depend on it.
          const own = typeof tags === 'function' ? scope.marks : tags
          return { ...this.stored(context.ttlMs ?? cacheNullMs, own, context), graceMs, nearMs }
        }
        const ms = context.ttlMs ?? (typeof ttlMs === 'function' ? ttlMs(value as T) : ttlMs)
        const own = typeof tags === 'function' ? storedTags(scope, tags(value as T)) : tags
        return { ...this.stored(ms, own, context), graceMs, nearMs }
      },
    }
  }

  private stored(ms: number, own: readonly string[], context: PlanContext): Pick<Storing, 'ttlMs' | 'tags'> {
    // The lifetime is only ever made shorter: nobody gets an entry that is older than was asked for.
    const ttlMs = Math.max(1, Math.round(ms * (1 - this.options.jitter * this.random.float())))
    return { ttlMs, tags: context.tags.length === 0 ? own : joinedTags(own, context.tags) }
  }
}

class LoadSettings implements PlanContext {
  ttlMs: number | null = null
  tags: readonly string[] = []
  skipped = false

  declare readonly stale?: { readonly value: unknown }

  constructor(
    private readonly scope: Scope,
    readonly key: string,
    private readonly maxTtlMs: number,
    readonly stop: LoadStop,
    stale: { readonly value: unknown } | undefined,
  ) {
    if (stale !== undefined) this.stale = stale
  }

  get signal(): AbortSignal {
    return this.stop.signal
  }

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
