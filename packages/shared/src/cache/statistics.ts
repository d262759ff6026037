import { keyGroup } from '../kernel/key.js'
import type { CacheUnavailableError } from './errors.js'

/** Hits and misses of one level or group. */
export interface HitCounts {
  readonly hits: number
  readonly misses: number
}

/** Counters of one key group: the first segment of the key, so `product:t1:42` counts under `product`. */
export interface GroupStatistics extends HitCounts {
  /** Percent of reads that were hits, two decimals; 0 when unused. */
  readonly hitRate: number
  readonly loads: number
  readonly loadErrors: number
}

/** What a cache has done in this process since it began or since `resetStatistics()`. */
export interface CacheStatistics extends GroupStatistics {
  /** Reads that looked into this process's memory. All zero with `l1: false`. */
  readonly l1: HitCounts
  /** Reads that went to the store. */
  readonly l2: HitCounts
  /** What L1 keeps weighs now, in bytes, as `l1.maxBytes` counts them. */
  readonly bytes: number
  /** Hits whose lifetime was over: they were served within their grace, and count as hits. */
  readonly stale: number
  /** Calls of `delete`, `invalidateByTag` and `clear` that were acknowledged. */
  readonly invalidations: number
  /** Operations that the store did not answer, or refused. */
  readonly errors: number
  /** Invalidations that the store has not acknowledged yet, and that this process repeats until it does. */
  readonly pending: number
  /** The 200 busiest key groups. */
  readonly groups: Readonly<Record<string, GroupStatistics>>
  /** What the audit of L1 has found; absent without `l1.audit`. */
  readonly audit?: AuditStatistics | undefined
}

/** Hits of L1 that were compared with the store. `sampled` = `compared` + `skipped` + those under comparison. */
export interface AuditStatistics {
  /** Hits that chance has picked. */
  readonly sampled: number
  /** Those of which the store has told: `fresh`, `stale` and `violations` together. */
  readonly compared: number
  /** Those of which nobody can tell: too many at once, the store away, a hold, an entry about to end. */
  readonly skipped: number
  /** The store had the very entry. */
  readonly fresh: number
  /** A write had overtaken the entry, and its push was on its way; by age. P2 promises all but the last. */
  readonly stale: Readonly<Record<AuditAge, number>>
  /** L1 went on answering an entry that the store no longer had when every push must have come. To be 0. */
  readonly violations: number
}

/** Ages of stale hits, ms: above the bound before it, up to this one. `staleness` is the option `l1.staleness`. */
export type AuditAge = '≤1' | '≤5' | '≤20' | '≤100' | '≤500' | '≤staleness' | '>staleness'

/** Groups listed, and groups kept between prunings. */
const LISTED_GROUPS = 200
const KEPT_GROUPS = 1_000

/** The counters of one key group, for those who count often: {@link Statistics.counts} answers them. */
export class Counts {
  /** No longer among the groups that are listed: ask for the group's counters anew. */
  detached = false
  hits = 0
  misses = 0
  loads = 0
  loadErrors = 0

  get reads(): number {
    return this.hits + this.misses
  }

  report(): GroupStatistics {
    const { hits, misses, loads, loadErrors, reads } = this
    return { hits, misses, hitRate: reads === 0 ? 0 : Math.round((hits / reads) * 10_000) / 100, loads, loadErrors }
  }
}

/** The counters behind `getStatistics()`: plain numbers, read and not emitted. */
export class Statistics {
  /** Hits of L1; they are counted by the group's {@link Counts} as well, and here. */
  nearHits = 0
  private nearMisses = 0
  private total = new Counts()
  private groups = new Map<string, Counts>()
  private stales = 0
  private invalidations = 0
  private errors = 0

  /** @param onError told of each operation that failed in the store */
  constructor(private readonly onError: (error: CacheUnavailableError) => void = () => undefined) {}

  /** Counts a hit of the store. */
  hit(key: string): void {
    this.total.hits++
    this.counts(key).hits++
  }

  /** L1 had not what a read was after. */
  nearMissed(): void {
    this.nearMisses++
  }

  stale(): void {
    this.stales++
  }

  missed(key: string): void {
    this.total.misses++
    this.counts(key).misses++
  }

  loaded(key: string): void {
    this.total.loads++
    this.counts(key).loads++
  }

  loadFailed(key: string): void {
    this.total.loadErrors++
    this.counts(key).loadErrors++
  }

  invalidated(): void {
    this.invalidations++
  }

  failed(error: CacheUnavailableError): void {
    this.errors++
    this.onError(error)
  }

  /** @param pending what the store is still owed @param bytes what L1 keeps @param audit of L1, where there is one */
  report(pending: number, bytes: number, audit?: AuditStatistics): CacheStatistics {
    const busiest = [...this.groups].sort(([, a], [, b]) => b.reads - a.reads).slice(0, LISTED_GROUPS)
    const { hits, misses, loads, loadErrors } = this.total
    const all = Object.assign(new Counts(), { hits: hits + this.nearHits, misses, loads, loadErrors })
    return {
      ...all.report(),
      l1: { hits: this.nearHits, misses: this.nearMisses },
      l2: { hits, misses },
      bytes,
      stale: this.stales,
      invalidations: this.invalidations,
      errors: this.errors,
      pending,
      groups: Object.fromEntries(busiest.map(([name, counts]) => [name, counts.report()])),
      ...(audit === undefined ? undefined : { audit }),
    }
  }

  reset(): void {
    this.total = new Counts()
    for (const counts of this.groups.values()) counts.detached = true
    this.groups = new Map()
    this.nearHits = 0
    this.nearMisses = 0
    this.stales = 0
    this.invalidations = 0
    this.errors = 0
  }

  /** The counters of a key's group. */
  counts(key: string): Counts {
    const name = keyGroup(key)
    let counts = this.groups.get(name)
    if (counts === undefined) {
      if (this.groups.size >= KEPT_GROUPS) this.prune()
      this.groups.set(name, (counts = new Counts()))
    }
    return counts
  }

  /** Keys without a `:` are groups of their own, so their number must be bounded: the less busy half goes. */
  private prune(): void {
    const byReads = [...this.groups].sort(([, a], [, b]) => b.reads - a.reads)
    for (const [, counts] of byReads.slice(KEPT_GROUPS / 2)) counts.detached = true
    this.groups = new Map(byReads.slice(0, KEPT_GROUPS / 2))
  }
}
