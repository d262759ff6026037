import { type Ttl, ttlToMs } from '../kernel/duration.js'
import { keyGroup } from '../kernel/key.js'
import type { ResolvedCacheOptions } from './options.js'
import type { GetOrSetOptions } from './public-types.js'

const DAY_S = 86_400
const MOST_WARNINGS = 200

/** Lifetimes: from what a call says to milliseconds, within `maxTtl`. */
export class TtlPolicy {
  /** Key groups whose large TTL has been pointed out. */
  private readonly warnedGroups = new Set<string>()

  constructor(
    private readonly options: ResolvedCacheOptions,
    private readonly warn: (message: string) => void,
  ) {}

  /** @throws InvalidDurationError */
  ofCall(key: string, ttl: Ttl | undefined): number {
    if (ttl === undefined) return this.options.defaultTtlMs
    const ms = ttlToMs(ttl, 'ttl', this.options.maxTtlMs)
    if (typeof ttl === 'number' && ttl > DAY_S) this.pointOut(key, ttl)
    return ms
  }

  /** As {@link ofCall}, for a value that is not there yet. @throws InvalidDurationError */
  ofLoad<T>(key: string, ttl: GetOrSetOptions<T>['ttl']): number | ((value: T) => number) {
    return typeof ttl === 'function' ? (value) => this.ofCall(key, ttl(value)) : this.ofCall(key, ttl)
  }

  /** Null: a loaded null is not kept. @throws InvalidDurationError */
  ofNull(option: Ttl | false | undefined): number | null {
    if (option === undefined) return this.options.cacheNullMs
    return option === false ? null : ttlToMs(option, 'cacheNull', this.options.maxTtlMs)
  }

  /** 0: without. A call's own grace, else the module's. @throws InvalidDurationError */
  ofGrace(option: Ttl | false | undefined): number {
    if (option === undefined) return this.options.graceMs
    return option === false ? 0 : ttlToMs(option, 'grace', this.options.maxTtlMs)
  }

  /** A number that was meant as milliseconds looks like this; said once a group. */
  private pointOut(key: string, ttl: number): void {
    const group = keyGroup(key)
    if (this.warnedGroups.has(group) || this.warnedGroups.size >= MOST_WARNINGS) return
    this.warnedGroups.add(group)
    this.warn(
      `a TTL of ${ttl} s for '${group}' is ${Math.round(ttl / 3_600)} h; milliseconds? write '${ttl}ms' (seconds: '${ttl}s')`,
    )
  }
}
