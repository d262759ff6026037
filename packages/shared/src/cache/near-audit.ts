import type { Clock, Timer } from '../kernel/clock.js'
import { defineEvent } from '../kernel/events.js'
import type { RandomSource } from '../kernel/random.js'
import type { CacheStore, StoredEntry } from './cache-store.js'
import { EntryReader } from './entry-reader.js'
import type { CacheLogger } from './options.js'
import type { AuditAge, AuditStatistics } from './statistics.js'
import { TagClock } from './tag-clock.js'

/**
 * A hit of L1 was proven wrong: the store had something else, and L1 went on answering it when its push must have come. Channel
 * `vextrus:cache.stale-hit`.
 */
export const cacheStaleHit = defineEvent<{
  readonly key: string
  /** Since the hit, ms: for how long at least L1 was wrong. */
  readonly ageMs: number
}>('cache.stale-hit')

/** What the audit looks at. */
export interface Audited {
  /** The entry that a hit would be answered from now, without waiting. */
  peek(key: string): StoredEntry | undefined
  /** Forgets what it keeps of the key. */
  drop(key: string): void
}

/** What {@link NearAudit} stands on. */
export interface AuditSurroundings {
  readonly store: CacheStore
  readonly l1: Audited
  readonly clock: Clock
  readonly random: RandomSource
  readonly logger: Pick<CacheLogger, 'warn'>
  /** Share of the hits that are compared, above 0. */
  readonly sample: number
  readonly stalenessMs: number
}

/**
 * Compares a share of L1's hits with the store, in the background, so that P2 can be watched in production and not only proven in a test.
 *
 * *What is compared.* L1 answered entry X at T, and at once X's key is read from the store, as another process would read it: by a reader and
 * a mirror of the tag clock of the audit's own. Were it L1's mirror, what the reading shows of the clock would mend L1 before it is looked at.
 *
 * - The store has X, and X is valid: the hit was *fresh*, for X was valid after T. (Two writes of one key within one millisecond, with one
 *   lifetime and under one sequence, have the same header, and look alike here.)
 * - It has another entry: a write W ran before this reading was answered, at V. All that ran until then has been pushed ahead of the PONG to a
 *   PING that is sent now (R21). So after that barrier L1 must not answer X any more. If it does, the push of W was lost or ignored: a
 *   *violation*.
 * - It has nothing valid: the same, but where the server refuses tracking (R23) what `deleteByPattern` removes is told in one message at its end,
 *   and not in the step that removes it. So a violation is X answered later than V + `staleness`. So it is in the case above where no barrier
 *   comes through: then L1's lease ends its hits (R18).
 * - Nobody can say, so it is *skipped*: the store gave no answer; a hold stands (R13), and one that is being placed is seen before the entries
 *   that it is about to delete; or X's lifetime was about to end, which is no write.
 *
 * *What the ages are.* L1 stopped answering X at P: by the push, by a reset, by the lease. A hit that was wrong was T − W old, and nobody in
 * this process knows W. What is seen is P − T. Hits fall at random between W and P, and a random point of an interval is as far from its
 * beginning as from its end, on average and in distribution: so the histogram of P − T is that of the ages. It counts too many hits rather
 * than too few, since W may lie between T and the reading: then the hit was fresh and has just become outdated.
 *
 * A violation is dropped from L1, told on a channel each time and in the log once. The audit never delays a hit and never rejects.
 */
export class NearAudit {
  private counts = new AuditCounts()
  private readonly reader: EntryReader
  private readonly watches = new Set<Watch>()
  private readonly stopListening: () => void
  private closed = false
  private warned = false
  private pausing: Promise<undefined> | null = null
  private resume: () => void = () => undefined
  private timer: Timer | null = null

  /** It listens to the store's pushes: to be made after what it looks at, which must have heard them first. */
  constructor(private readonly surroundings: AuditSurroundings) {
    const { store } = surroundings
    const ignore = (): void => undefined
    this.reader = new EntryReader(store, new TagClock(MOST_TAGS), ignore, ignore, null)
    this.stopListening = store.pushes.listen({
      invalidate: (key) => this.look(key),
      clockMoved: () => this.look(),
      reset: () => this.look(),
    })
  }

  /** L1 has just answered this entry: perhaps it is compared. */
  hit(key: string, entry: StoredEntry): void {
    const { random, sample, clock } = this.surroundings
    if (random.float() >= sample) return
    const { counts } = this
    counts.sampled++
    if (this.closed || this.watches.size >= MOST_AT_ONCE) {
      counts.skipped++
      return
    }
    const watch: Watch = { key, entry, hitAt: clock.mono(), endedAt: null }
    this.watches.add(watch)
    void this.compare(watch, counts)
  }

  /** L1 may have stopped answering what is watched. @param key only of this one; default: of any */
  look(key?: string): void {
    for (const watch of this.watches) if (key === undefined || watch.key === key) this.lookAt(watch)
  }

  report(): AuditStatistics {
    return this.counts.report()
  }

  /** What is being compared counts for the time before. */
  reset(): void {
    this.counts = new AuditCounts()
  }

  /** What is being compared comes to nothing. */
  close(): void {
    this.closed = true
    this.stopListening()
    this.timer?.cancel()
    this.resume()
  }

  private async compare(watch: Watch, counts: AuditCounts): Promise<void> {
    try {
      counts.take(await this.judge(watch), this.surroundings.stalenessMs)
    } finally {
      this.watches.delete(watch)
    }
  }

  private async judge(watch: Watch): Promise<Verdict> {
    const { clock, stalenessMs, store } = this.surroundings
    const { entry, nowMs, away, held } = await this.reader.read(watch.key)
    if (away || held) return 'skipped'
    if (entry !== null && isSame(entry, watch.entry)) return 'fresh'
    if (entry === null && watch.entry.hardAt - nowMs <= EXPIRY_DOUBT_MS) return 'skipped'
    const readAt = clock.mono()
    for (;;) {
      const told = await this.watching(watch, store.pushes.barrier())
      if (this.closed) return 'skipped'
      if (watch.endedAt !== null) return { ageMs: watch.endedAt - watch.hitAt }
      if ((told && entry !== null) || clock.mono() - readAt > stalenessMs) {
        this.wrong(watch)
        return 'violation'
      }
      await this.pause()
    }
  }

  /** Looks on while the barrier is awaited: that the lease has ended nobody tells. */
  private async watching(watch: Watch, barrier: Promise<boolean>): Promise<boolean> {
    let told: boolean | undefined
    while (told === undefined && !this.closed) {
      told = await Promise.race([barrier, this.pause()])
      this.lookAt(watch)
    }
    return told ?? false
  }

  /** A tagged entry that waits for the clock is not answered, and may be again: what counts is when it ended for good. */
  private lookAt(watch: Watch): void {
    const { l1, clock } = this.surroundings
    if (l1.peek(watch.key) === watch.entry) watch.endedAt = null
    else watch.endedAt ??= clock.mono()
  }

  private wrong({ key, hitAt }: Watch): void {
    const { clock, l1, logger } = this.surroundings
    const ageMs = clock.mono() - hitAt
    l1.drop(key)
    cacheStaleHit.publish(() => ({ key, ageMs }))
    if (this.warned) return
    this.warned = true
    logger.warn(
      `l1.audit: a hit of '${key}' was answered from memory ${Math.ceil(ageMs)} ms ago, Redis has something else, and the change was never ` +
        'pushed to this process. Set `l1: false` until the cause is found: a proxy or a server that is no Redis and loses invalidations of ' +
        'CLIENT TRACKING, or a defect of this package, which its authors want to hear of. Further ones are counted in ' +
        '`getStatistics().audit.violations`',
    )
  }

  /** One for all that wait. */
  private pause(): Promise<undefined> {
    this.pausing ??= new Promise<undefined>((resolve) => {
      this.resume = () => {
        this.pausing = null
        resolve(undefined)
      }
      if (this.closed) this.resume()
      else this.timer = this.surroundings.clock.timer(LOOK_EVERY_MS, this.resume)
    })
    return this.pausing
  }
}

/** Comparisons under way; hits that are sampled beyond it are skipped. */
const MOST_AT_ONCE = 32
/** Marks in the mirror: what is not in it is looked up. */
const MOST_TAGS = 1_000
const LOOK_EVERY_MS = 20
/** The store's time beside a reading is an estimate, and lags by a part of a round trip. */
const EXPIRY_DOUBT_MS = 50

/** A hit under comparison. */
interface Watch {
  readonly key: string
  readonly entry: StoredEntry
  readonly hitAt: number
  /** Since when L1 has not answered it any more; null: it still does. */
  endedAt: number | null
}

type Verdict = 'fresh' | 'skipped' | 'violation' | { readonly ageMs: number }

class AuditCounts {
  sampled = 0
  skipped = 0
  private fresh = 0
  private violations = 0
  private readonly stale = { '≤1': 0, '≤5': 0, '≤20': 0, '≤100': 0, '≤500': 0, '≤staleness': 0, '>staleness': 0 }

  take(verdict: Verdict, stalenessMs: number): void {
    if (verdict === 'fresh') this.fresh++
    else if (verdict === 'skipped') this.skipped++
    else if (verdict === 'violation') this.violations++
    else this.stale[bucketOf(verdict.ageMs, stalenessMs)]++
  }

  report(): AuditStatistics {
    const { sampled, skipped, fresh, violations } = this
    const stale = { ...this.stale }
    const compared = Object.values(stale).reduce((sum, each) => sum + each, fresh + violations)
    return { sampled, compared, skipped, fresh, stale, violations }
  }
}

function bucketOf(ageMs: number, stalenessMs: number): AuditAge {
  if (ageMs > stalenessMs) return '>staleness'
  const bound = BOUNDS.find((ms) => ageMs <= ms)
  return bound === undefined ? '≤staleness' : `≤${bound}`
}

const BOUNDS = [1, 5, 20, 100, 500] as const

/** By header; L1 no longer has the payload of an entry that it has answered. */
function isSame(one: StoredEntry, other: StoredEntry): boolean {
  return HEADER.every((field) => one[field] === other[field])
}

const HEADER = ['g', 's', 'e', 'softAt', 'hardAt', 'deltaMs', 'codec', 'version'] as const
