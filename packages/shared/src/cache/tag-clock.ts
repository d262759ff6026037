import { FOREIGN_CODEC } from '../kernel/codec/envelope.js'
import type { ClockReply, Source, StandingHold, StoredEntry, TagReply } from './cache-store.js'

/**
 * What this process knows of the tag clock, and the one place where an entry is judged.
 *
 * The clock in the store has a generation (`#g`, moved by `clear` and by losing the clock), a sequence (`#s`, moved by every invalidation), a
 * floor (`#f`, the highest mark that was dropped) and a mark a tag: the sequence of its last invalidation. An entry carries the generation
 * and the sequence of the moment its load began. It is valid while the generation is the same and no tag of it was marked later.
 *
 * The mirror holds S – up to where it has seen every mark – and a bounded table of marks. S moves by deltas only (R3): a delta carries every
 * mark from S on, so a tag in the table that a delta doesn't name has not moved. The answer of one's own invalidation says nothing of the
 * marks of others in between, so it never moves S.
 */
export class TagClock {
  private g: string | null = null
  private s = 0
  private f = 0
  private readonly marks = new Map<string, number>()
  /** One line of moments: deltas that were sent, and pushes of the clock. */
  private moment = 0
  private lastPush = 0
  /** When the newest delta was sent that the table has taken in. */
  private takenIn = 0
  /** The holds of the delta that was sent last of those that are here. */
  private held: Held | null = null
  private heldFrom = 0
  private changes = 1

  /** @param maxTags how many marks are remembered; forgetting one costs a look-up, never a wrong answer. */
  constructor(private readonly maxTags: number) {}

  /** Another number whenever something that an entry may be judged by has changed: what was judged under the same number needs it no more. */
  get stamp(): number {
    return this.changes
  }

  /** R19: a delta is here that was sent after the last push of the clock. */
  get caughtUp(): boolean {
    return this.takenIn > this.lastPush
  }

  /** The clock was written by somebody, or pushes of it may have been lost: the table may lack a mark until a delta sent after this is here. */
  moved(): void {
    this.lastPush = ++this.moment
  }

  /** The moment of the last push, for {@link hasPassed}. */
  get pushed(): number {
    return this.lastPush
  }

  /** Whether a delta sent after this moment has been taken in. */
  hasPassed(moment: number): boolean {
    return this.takenIn > moment
  }

  /** To be drawn when a reading of the clock is handed to the store, and given to {@link apply} with its answer. */
  sending(): number {
    return ++this.moment
  }

  /** What to ask the next delta with; null asks for a base. */
  get since(): Since | null {
    return this.g === null ? null : { g: this.g, s: this.s }
  }

  /**
   * Takes in the clock's part of a reply that was asked with `since` (R3), and answers what may be judged by it.
   * @param sentAt what {@link sending} answered when it was asked
   */
  apply(reply: ClockReply, since: Since | null, sentAt: number): Reading {
    const held = heldBy(reply.holds)
    if (sentAt > this.heldFrom) {
      if (held !== null || this.held !== null) this.changes++
      this.held = held
      this.heldFrom = sentAt
    }
    const reading = this.takeIn(reply, since, held)
    if (reading.tagsKnown && sentAt > this.takenIn) this.takenIn = sentAt
    return reading
  }

  private takeIn(reply: ClockReply, since: Since | null, held: Held | null): Reading {
    if (reply.g === null) {
      this.void()
      return { g: null, tagsKnown: false, held }
    }
    if (reply.base || since === null) {
      if (reply.g !== this.g) this.adopt(reply.g, reply.s ?? 0, reply.f ?? 0)
      return { g: reply.g, tagsKnown: this.s === reply.s, held }
    }
    if (since.g !== this.g || since.s > this.s) {
      // Asked from a point that this table has not reached, or under a clock that has been voided: below `since` there may be marks that
      // are in neither.
      if (reply.g !== this.g) this.void()
      return { g: reply.g, tagsKnown: false, held }
    }
    if (reply.g !== this.g || reply.s === null || reply.full) {
      this.void()
      return { g: reply.g, tagsKnown: false, held }
    }
    // Replies may be handed on out of order. One that is older than S has nothing to add, and must not take a mark back.
    if (reply.s >= this.s) {
      for (let i = 0; i < reply.tags.length; i++) this.mark(reply.tags[i]!, reply.seqs[i]!)
      if (reply.f !== null && reply.f > this.f) this.raise(reply.f)
      this.s = reply.s
    }
    return { g: reply.g, tagsKnown: true, held }
  }

  /**
   * R5 for what L1 keeps, by the table alone: what the store itself would say of generation, floor, marks and holds as of the last delta.
   * Expiry and epoch are not asked: the first is L1's own, and another epoch empties L1 (R20). `unknown`: ask the store.
   */
  judgeKept(entry: Pick<StoredEntry, 'g' | 's' | 'tags'>): 'valid' | 'invalid' | 'unknown' {
    if (this.g === null) return entry.tags.length === 0 ? 'valid' : 'unknown'
    if (entry.g !== this.g) return 'invalid'
    if (entry.tags.length === 0) return 'valid'
    const { held } = this
    // Not gone for good: held entries are misses while the hold stands.
    if (held !== null && isAnyHeld(held, entry.tags)) return 'unknown'
    return this.judgeMarks(entry)
  }

  /** Takes in a reading of tags (R4). A tag without a mark may have been dropped, so it counts as marked at that reply's floor. */
  learn(tags: readonly string[], reply: TagReply): void {
    if (reply.g === null) return this.void()
    if (reply.g !== this.g) this.adopt(reply.g, reply.s, reply.f)
    else if (reply.s < this.s) return
    for (let i = 0; i < tags.length; i++) this.mark(tags[i]!, reply.seqs[i] ?? reply.f)
    if (reply.f > this.f) this.raise(reply.f)
  }

  /** R5, by what the last reply established. `unknown`: a tag of it is not in the table, look it up and ask {@link validBy}. */
  judge(key: string, entry: StoredEntry, reading: Reading, { epoch, nowMs }: Source): 'valid' | 'invalid' | 'unknown' {
    if (reading.held !== null && isHeld(reading.held, key, entry.tags)) return 'invalid'
    if (entry.g !== reading.g || entry.e !== epoch || entry.hardAt <= nowMs) {
      // A foreign writer's value knows no generation and no epoch; its only promise is the key's own lifetime.
      return entry.codec === FOREIGN_CODEC ? 'valid' : 'invalid'
    }
    if (entry.tags.length === 0) return 'valid'
    return reading.tagsKnown ? this.judgeMarks(entry) : 'unknown'
  }

  private judgeMarks(entry: Pick<StoredEntry, 's' | 'tags'>): 'valid' | 'invalid' | 'unknown' {
    if (entry.s < this.f) return 'invalid'
    let known = true
    for (const tag of entry.tags) {
      const mark = this.marks.get(tag)
      if (mark === undefined) known = false
      else if (mark > entry.s) return 'invalid'
    }
    return known ? 'valid' : 'unknown'
  }

  /** Forgets everything: the next reply must be a base. */
  void(): void {
    this.changes++
    this.g = null
    this.marks.clear()
  }

  /** A look-up may have seen a mark that an older delta, handed on later, has not. */
  private mark(tag: string, seq: number): void {
    const known = this.marks.get(tag)
    if (known !== undefined && known >= seq) return
    this.changes++
    // The oldest goes first: an LRU would make each hit pay for its order.
    if (known === undefined && this.marks.size >= this.maxTags) this.marks.delete(this.marks.keys().next().value!)
    this.marks.set(tag, seq)
  }

  private raise(f: number): void {
    this.changes++
    this.f = f
  }

  private adopt(g: string, s: number, f: number): void {
    this.changes++
    this.g = g
    this.s = s
    this.f = f
    this.marks.clear()
  }
}

/** Up to where a mirror had seen the clock when it asked, and under which generation. */
export interface Since {
  readonly g: string
  readonly s: number
}

/** What one reply establishes: the generation, whether the table is as new as the reply, and what is held (R13). */
export interface Reading {
  readonly g: string | null
  readonly tagsKnown: boolean
  /** Null: nothing, as nearly always. */
  readonly held: Held | null
}

/** What somebody's `invalidateAround` protects, expired or not. */
export interface Held {
  readonly keys: ReadonlySet<string>
  readonly tags: ReadonlySet<string>
}

/** @returns null when there are none */
export function heldBy(holds: readonly StandingHold[]): Held | null {
  if (holds.length === 0) return null
  const names = (kind: StandingHold['kind']) =>
    new Set(holds.flatMap((hold) => (hold.kind === kind ? [hold.name] : [])))
  return { keys: names('key'), tags: names('tag') }
}

export function isHeld(held: Held, key: string, tags: readonly string[]): boolean {
  return held.keys.has(key) || isAnyHeld(held, tags)
}

function isAnyHeld(held: Held, tags: readonly string[]): boolean {
  return held.tags.size > 0 && tags.some((tag) => held.tags.has(tag))
}

/** R5's tag half by one reading of exactly these marks (R4): both the generation and the floor are that reply's. */
export function validBy(g: string, s: number, marks: Iterable<number | null | undefined>, reply: TagReply): boolean {
  if (reply.g !== g || s < reply.f) return false
  for (const mark of marks) if (typeof mark === 'number' && mark > s) return false
  return true
}
