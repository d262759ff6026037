import type { RandomSource } from '../kernel/random.js'
import { ttlToMs } from '../kernel/duration.js'
import type { EntryReader, Found } from './entry-reader.js'
import type { LoadContext, LoadPlan, PlanContext } from './load-plan.js'
import { decodeEntry, type Loads } from './loader.js'
import type { ResolvedCacheOptions } from './options.js'
import { checkTags } from './tags.js'

/** What a call of `getOrSet` says of the entry that it would store. */
export interface ReadThroughOptions<T> {
  readonly ttlMs: number | ((value: T) => number)
  readonly tags: readonly string[] | ((value: T) => readonly string[])
  /** Null: a loaded null is not stored. */
  readonly cacheNullMs: number | null
}

/**
 * Read, else load: the loop behind `getOrSet`.
 *
 * A read that finds nothing joins the key's load; what comes of it is a value, or the advice to read again – after waiting for another
 * process, or when a fill is already on its way.
 */
export class ReadThrough {
  constructor(
    private readonly reader: EntryReader,
    private readonly loads: Loads,
    private readonly options: ResolvedCacheOptions,
    private readonly random: RandomSource,
  ) {}

  /** @param onRead told once what the first read found */
  async get<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    options: ReadThroughOptions<T>,
    onRead: (found: Found) => void,
  ): Promise<T> {
    const caller = this.loads.newCaller(this.plan(key, load, options))
    for (let first = true; ; first = false) {
      const found = await this.reader.read(key)
      if (first) onRead(found)
      if (found.entry !== null) return decodeEntry(found.entry) as T
      caller.away = found.away
      const outcome = await this.loads.join(key, caller)
      if (outcome !== null) return outcome.value as T
    }
  }

  private plan<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    { ttlMs, tags, cacheNullMs }: ReadThroughOptions<T>,
  ): LoadPlan {
    return {
      load: load as (context: LoadContext) => unknown,
      newContext: () => new LoadSettings(key, this.options.maxTtlMs),
      storing: (value, context) => {
        if (context.skipped || value === undefined) return null
        if (value === null) {
          const ms = cacheNullMs
          return ms === null
            ? null
            : { ttlMs: this.jittered(context.ttlMs ?? ms), tags: this.tagsOf(tags, null, context) }
        }
        const ms = context.ttlMs ?? (typeof ttlMs === 'function' ? ttlMs(value as T) : ttlMs)
        return { ttlMs: this.jittered(ms), tags: this.tagsOf(tags, value as T, context) }
      },
    }
  }

  /** Tags of a loaded null are those that don't depend on it. */
  private tagsOf<T>(
    tags: readonly string[] | ((value: T) => readonly string[]),
    value: T | null,
    context: PlanContext,
  ): readonly string[] {
    const own = typeof tags !== 'function' ? tags : value === null ? [] : tags(value)
    return checkTags([...own, ...context.tags])
  }

  /** Only ever shorter: nobody gets an entry that is older than was asked for. */
  private jittered(ms: number): number {
    return Math.max(1, Math.round(ms * (1 - this.options.jitter * this.random.float())))
  }
}

class LoadSettings implements PlanContext {
  ttlMs: number | null = null
  tags: readonly string[] = []
  skipped = false

  constructor(
    readonly key: string,
    private readonly maxTtlMs: number,
  ) {}

  readonly setTtl = (ttl: number | string): void => {
    this.ttlMs = ttlToMs(ttl, 'setTtl', this.maxTtlMs)
  }

  readonly addTags = (...tags: string[]): void => {
    this.tags = checkTags([...this.tags, ...tags])
  }

  readonly skip = (): void => {
    this.skipped = true
  }
}
