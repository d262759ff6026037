import type { LRUCache } from 'lru-cache'
import { growingLru } from '../kernel/growing-lru.js'
import type { Ask, CounterReply, CounterSpec } from './rate-limit-store.js'

/**
 * Refusals that still hold: who is over a limit costs no round trip until it may pass again.
 *
 * A counter that refuses a cost refuses it until its `retryUs` is over, whoever spends meanwhile: spending never frees anything. Three things do –
 * a refund, a reset, a larger limit – and after each of them nothing is answered from here that was refused before it:
 * - refunds and resets of all processes are heard, and while they may be missed nothing is remembered or answered;
 * - one that is heard while a question about its counter is under way forbids to remember the answer, which may be older. Refunds of other counters
 *   don't: where requests that fail are given back they come all the time, and nobody's refusal would ever be remembered;
 * - a refusal is of one limit and burst; a rule that has others does not find it. While others count, a bucket may be paid back faster, so a change of
 *   a plan forgets all that was refused before it: it comes seldom, and whose counters are whose is not kept here.
 *
 * Time counts from when the question was sent, so it is over here before it is over in the store.
 */
export class DenyCache {
  private readonly refusals: LRUCache<string, Refusal>
  private heard = false
  private changes = 0
  /** The last change of any counter, as far as those of single ones are not known. */
  private anyChanged = 0
  /** The last change of each counter that has had one since then. */
  private readonly changed = new Map<string, number>()

  /** @param max refusals; the least recently asked for go first */
  constructor(max: number) {
    this.refusals = growingLru(max)
  }

  /** To be passed to {@link remember} with the answer to a question that is sent now. */
  mark(): number {
    return this.changes
  }

  /** How long the counter refuses the cost yet, and what else is known of it; undefined: nothing is. */
  find({ id, spec, cost }: Ask, now: number): Refusal | undefined {
    // Mostly nobody is refused; a look would cost what the text of the id costs to be made one.
    const refusal = this.refusals.size === 0 ? undefined : this.refusals.get(id)
    if (refusal === undefined || refusal.cost !== cost || !isSame(refusal.spec, spec)) return undefined
    if (now < refusal.until) return refusal
    this.refusals.delete(id)
    return undefined
  }

  /** @param mark from before the question was sent, at `sentAt` (monotonic ms) */
  remember({ id, spec, cost }: Ask, { remaining, retryUs, resetUs }: CounterReply, mark: number, sentAt: number): void {
    if (!this.heard || this.changedSince(id, mark)) return
    const until = sentAt + retryUs / 1_000
    this.refusals.set(id, { spec, cost, remaining, until, resetAt: sentAt + resetUs / 1_000 })
  }

  /** The counter has more than it had. */
  forget(id: string): void {
    if (this.changed.size >= MOST_CHANGED) this.changedAny()
    this.changed.set(id, ++this.changes)
    this.refusals.delete(id)
  }

  /** Any counter may have more than it had. */
  forgetAll(): void {
    this.changedAny()
    this.refusals.clear()
  }

  /** Changes may be missed from now on, or were. */
  deaf(): void {
    this.heard = false
    this.forgetAll()
  }

  /** All changes from now on are heard. */
  hears(): void {
    this.deaf()
    this.heard = true
  }

  private changedSince(id: string, mark: number): boolean {
    return mark < this.anyChanged || (this.changed.get(id) ?? 0) > mark
  }

  private changedAny(): void {
    this.anyChanged = ++this.changes
    this.changed.clear()
  }
}

/** Counters whose last change is kept: as many as may be given back while a question is under way. With more, all count as changed. */
const MOST_CHANGED = 1_000

/** One that holds for a while. */
export interface Refusal {
  readonly spec: CounterSpec
  readonly cost: number
  readonly remaining: number
  /** Monotonic ms. */
  readonly until: number
  readonly resetAt: number
}

/** The window and the algorithm are part of the counter's id. */
function isSame(one: CounterSpec, other: CounterSpec): boolean {
  return one === other || (one.limit === other.limit && one.burst === other.burst)
}
