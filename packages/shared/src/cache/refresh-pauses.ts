import { Backoff } from '../kernel/backoff.js'
import type { Clock } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'

const PAUSE = Object.freeze({ baseMs: 1_000, capMs: 30_000 })
const MOST_KEYS = 10_000

/** Tells one entry of a key from the next. */
export interface RefreshedEntry {
  readonly g: string
  readonly s: number
  readonly softAt: number
}

/**
 * Keys whose entry could not be loaded anew (R15): while its pause lasts an entry is served without asking the loader again, so an origin that
 * is down is asked a few times a minute and not at every read. A pause is about one entry of a key: another one that takes its place has none,
 * and where there is no entry there is nothing to be served, so its callers load.
 *
 * Bounded: the key whose load failed longest ago is forgotten first, and its entry is tried once more.
 */
export class RefreshPauses {
  private readonly pauses = new Map<string, Pause>()

  constructor(
    private readonly clock: Clock,
    private readonly random: RandomSource,
    private readonly mostKeys = MOST_KEYS,
  ) {}

  /** How many keys are remembered. */
  get size(): number {
    return this.pauses.size
  }

  /** Whether this entry of the key is not to be loaded anew now. */
  has(key: string, entry: RefreshedEntry): boolean {
    // As always but on the worst of days.
    if (this.pauses.size === 0) return false
    const pause = this.pauses.get(key)
    return pause !== undefined && isSame(pause.entry, entry) && this.clock.mono() < pause.untilMs
  }

  /** A load that was to replace this entry failed. */
  failed(key: string, entry: RefreshedEntry): void {
    const before = this.pauses.get(key)
    const backoff =
      before !== undefined && isSame(before.entry, entry) ? before.backoff : new Backoff(PAUSE, this.random)
    const { g, s, softAt } = entry
    this.pauses.delete(key)
    this.pauses.set(key, { entry: { g, s, softAt }, backoff, untilMs: this.clock.mono() + backoff.next() })
    if (this.pauses.size > this.mostKeys) this.pauses.delete(this.pauses.keys().next().value!)
  }

  /** A load succeeded, or the entry is gone. */
  forget(key: string): void {
    if (this.pauses.size > 0) this.pauses.delete(key)
  }
}

interface Pause {
  readonly entry: RefreshedEntry
  readonly backoff: Backoff
  readonly untilMs: number
}

function isSame(one: RefreshedEntry, other: RefreshedEntry): boolean {
  return one.softAt === other.softAt && one.s === other.s && one.g === other.g
}
