import type { Clock } from '../kernel/clock.js'
import { CoherentMap, type Ticket } from '../kernel/coherent-map.js'
import { TickBatch } from '../kernel/batch.js'
import { FOREIGN_CODEC } from '../kernel/codec/envelope.js'
import type { RandomSource } from '../kernel/random.js'
import type { PushSource, StoredEntry } from './cache-store.js'
import { type Filling, type Found, readClock } from './entry-reader.js'
import { CacheUnavailableError } from './errors.js'
import { isInsideLoad } from './load-scope.js'
import { NearAudit } from './near-audit.js'
import { NearEntry } from './near-entry.js'
import type { ResolvedNearOptions } from './near-options.js'
import type { CacheLogger } from './options.js'
import type { ReplayingStore } from './replaying-store.js'
import type { Statistics } from './statistics.js'
import type { TagClock } from './tag-clock.js'
import { UNREADABLE, type Values } from './values.js'

/** What {@link NearCache.hit} answers when it can't answer at once. */
export const NOT_NEAR = Symbol('not near')

/** What L1 stands on. */
export interface NearSurroundings {
  readonly store: ReplayingStore
  readonly tagClock: TagClock
  readonly clock: Clock
  readonly random: RandomSource
  readonly logger: Pick<CacheLogger, 'warn'>
  readonly statistics: Statistics
  readonly values: Values
  readonly options: ResolvedNearOptions
  /** Whether an entry is to be loaded anew at this time of the store (R15). */
  readonly wantsRefresh: (entry: StoredEntry, nowMs: number) => boolean
  readonly onError: (error: CacheUnavailableError) => void
}

/**
 * L1: the entries that this process has read lately, each provably as fresh as `staleness` says (P2).
 *
 * The coherent map knows which keys were written and whether it has heard of all writes (R17, R18, R20). What it can't know is what the tag
 * clock says, and that is asked here. A tag is invalidated by one write of the clock, whatever number of entries carries it; so a push of
 * the clock makes every *tagged* entry wait for a delta that was sent after that push (R19), and is then judged by the table like any entry
 * read from the store. A hit waits for the push that was the last when it began: however often the clock is written, it waits once. Entries
 * without tags wait for nothing; of the clock only the generation matters to them. While this process owes invalidations (R24) the clock lacks
 * what they mark, whatever a reading of it says, and no tagged entry is answered.
 *
 * Inside a load nothing is answered from here (R22): its staleness of milliseconds would be stored for a TTL.
 *
 * {@link hit} is the path of nearly all hits: synchronous, and nothing is made on it but the value's copy. What it leaves – a delta to wait for,
 * a value to unpack, an entry that is stale or to be refreshed early, strictness – {@link find} does.
 */
export class NearCache implements Filling {
  /** The entry of the last {@link hit} if it is to be loaded anew (R15); whoever called takes it, and sets null, in the same step. */
  due: StoredEntry | null = null
  /** Null: `l1.audit` is off, as it is unless somebody looks for something. */
  readonly audit: NearAudit | null
  private readonly map: CoherentMap<NearEntry>
  private readonly pushes: PushSource
  private readonly store: ReplayingStore
  private readonly tagClock: TagClock
  private readonly clock: Clock
  private readonly statistics: Statistics
  private readonly values: Values
  private readonly options: ResolvedNearOptions
  private readonly wantsRefresh: NearSurroundings['wantsRefresh']
  private readonly onError: (error: CacheUnavailableError) => void
  private readonly stopListening: () => void
  private readonly deltas = new TickBatch<() => void>((asked) => this.catchUp(asked))

  constructor(surroundings: NearSurroundings) {
    const { store, tagClock, clock, statistics, values, options, wantsRefresh, onError } = surroundings
    this.pushes = store.pushes
    this.store = store
    this.tagClock = tagClock
    this.clock = clock
    this.statistics = statistics
    this.values = values
    this.options = options
    this.wantsRefresh = wantsRefresh
    this.onError = onError
    // Before the map: where both are told of a reset, the clock has moved before anybody can be told that the map is live again.
    this.stopListening = this.pushes.listen({
      invalidate: () => undefined,
      clockMoved: () => tagClock.moved(),
      reset: () => tagClock.moved(),
    })
    const { maxBytes, maxEntries, stalenessMs } = options
    this.map = new CoherentMap({ source: this.pushes, clock, maxBytes, maxEntries, stalenessMs })
    const { random, logger } = surroundings
    const { auditSample: sample } = options
    this.audit = sample === 0 ? null : new NearAudit({ store, l1: this, clock, random, logger, sample, stalenessMs })
  }

  /** What the values kept weigh together. */
  get bytes(): number {
    return this.map.bytes
  }

  /**
   * The value for one caller, counted as a hit; or {@link NOT_NEAR}, uncounted: ask {@link find}.
   * @param canLoad sets {@link due} when the caller should load it anew, behind its own back
   */
  hit(key: string, canLoad: boolean): unknown {
    const now = this.clock.mono()
    const entry = this.map.get(key, now)
    if (entry === undefined || now >= entry.staleAt || !entry.unpacked || !this.isJudged(entry)) return NOT_NEAR
    if (this.options.strict || isInsideLoad()) return NOT_NEAR
    this.count(key, entry)
    if (canLoad && now >= entry.calmUntil && this.wantsRefresh(entry, entry.storeTime(now))) this.due = entry
    return entry.handOut()
  }

  /** Whether {@link find} may have something; else there is nothing to wait for. */
  has(key: string): boolean {
    return this.map.get(key) !== undefined
  }

  /** As {@link hit}, with whatever there is to wait for; null: it is not here, or not to be used. */
  async find(key: string, counts = true): Promise<Found | null> {
    if (isInsideLoad()) return null
    // R21: the entry is looked up after the PONG.
    if (this.options.strict && !(await this.pushes.barrier())) return null
    let entry = this.map.get(key)
    if (entry === undefined) return null
    if (entry.tags.length > 0) {
      const { pushed } = this.tagClock
      if (!this.tagClock.hasPassed(pushed)) {
        await new Promise<void>((done) => this.deltas.add(done))
        if (!this.tagClock.hasPassed(pushed)) return null
        entry = this.map.get(key)
      }
      if (entry === undefined) return null
    }
    if (!this.judge(key, entry)) return null
    const value = entry.unpacked ? entry.handOut() : await this.unpack(key, entry)
    // Unpacking may take a while, and the key may be written meanwhile.
    if (value === UNREADABLE || this.map.get(key) !== entry) return null
    if (counts) this.count(key, entry)
    return { entry, nowMs: entry.storeTime(this.clock.mono()), away: false, held: false, near: { value } }
  }

  ticket(key: string): Ticket {
    return this.map.ticket(key)
  }

  fill(key: string, entry: StoredEntry, nowMs: number, nearMs: number | undefined, ticket: Ticket): void {
    // Of a foreign writer's key nobody knows when it ends. Without the server's time nobody knows of any.
    if (entry.codec === FOREIGN_CODEC || nowMs === 0) return ticket.close()
    const asked = nearMs ?? entry.nearMs ?? this.options.ttlMs
    const ttlMs = Math.min(asked, entry.nearMs ?? Infinity, entry.hardAt - nowMs)
    const near = new NearEntry(entry, ticket.takenAt - nowMs, this.options.values)
    this.map.put(key, near, ticket, weightOf(key, near), ttlMs)
  }

  /** Own invalidations act at their call and at their answer, like the pushes that they cause (R17). */
  wrote(keys: readonly string[]): void {
    for (const key of keys) this.map.invalidate(key)
    this.audit?.look()
  }

  /** {@link wrote}, of every key that matches. */
  wroteWhere(matches: (key: string) => boolean): void {
    this.map.invalidateWhere(matches)
    this.audit?.look()
  }

  /** The tag clock was written by this process. */
  wroteClock(): void {
    this.tagClock.moved()
    this.audit?.look()
  }

  /** Everything may have been written by this process. */
  wroteAll(): void {
    this.tagClock.moved()
    this.map.reset()
    this.audit?.look()
  }

  /** The entry that a hit would be answered from now, without waiting; for the audit. */
  peek(key: string): NearEntry | undefined {
    const entry = this.map.get(key)
    return entry !== undefined && this.isJudged(entry) ? entry : undefined
  }

  /** Forgets the key; nothing was written. */
  drop(key: string): void {
    this.map.drop(key)
  }

  close(): void {
    this.stopListening()
    this.audit?.close()
    this.map.close()
  }

  /** By what is known at this moment, and without waiting. */
  private isJudged(entry: NearEntry): boolean {
    const { tagClock } = this
    if (entry.judgedAt !== tagClock.stamp) {
      if (tagClock.judgeKept(entry) !== 'valid') return false
      entry.judgedAt = tagClock.stamp
    }
    return entry.tags.length === 0 || (tagClock.caughtUp && !this.store.owes)
  }

  private judge(key: string, entry: NearEntry): boolean {
    const verdict = this.tagClock.judgeKept(entry)
    if (verdict === 'invalid') this.map.drop(key)
    return verdict === 'valid' && (entry.tags.length === 0 || !this.store.owes)
  }

  /** One reading of the clock for all who wait; those that come while it is under way wait for the next. */
  private async catchUp(asked: readonly (() => void)[]): Promise<void> {
    try {
      await readClock(this.store, this.tagClock)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.onError(error)
    } finally {
      for (const done of asked) done()
    }
  }

  private async unpack(key: string, entry: NearEntry): Promise<unknown> {
    const value: unknown = await this.values.read(key, entry)
    if (value === UNREADABLE) {
      this.map.drop(key)
      return UNREADABLE
    }
    const own = entry.unpack(value)
    if (entry.unpacked) this.map.weigh(key, entry, weightOf(key, entry))
    return own
  }

  private count(key: string, entry: NearEntry): void {
    if (entry.counts.detached) entry.counts = this.statistics.counts(key)
    entry.counts.hits++
    this.statistics.nearHits++
    if (this.audit !== null) this.audit.hit(key, entry)
  }
}

/** Its key, and what is kept under it. */
function weightOf(key: string, entry: NearEntry): number {
  return key.length * 2 + entry.weight
}
