import type { RandomSource } from '../../kernel/random.js'
import type { Hold, StandingHold, TagReply } from '../cache-store.js'

/** The tag clock of a memory server: generation, sequence, floor, the marks of tags (R1) and the members of holds (R13). */
export class MemoryTagClock {
  /** Null: there is no clock, and what else is still here is void. */
  private g: number | null = null
  private s = 0
  private f = 0
  /** Oldest mark first: a mark that moves is inserted anew. */
  private readonly marks = new Map<string, number>()
  /** The last marks in the order they were set, and the highest that has left the list. */
  private recent: [tag: string, seq: number][] = []
  private forgottenTo = 0
  /** By owner, kind and name. */
  private readonly members = new Map<string, StandingHold>()

  /** @param onMoved told of every change, as a write of the clock's key is in Redis */
  constructor(
    private readonly random: RandomSource,
    private readonly onMoved: () => void = () => undefined,
  ) {}

  now(): { readonly g: string | null; readonly s: number; readonly f: number } {
    return this.g === null ? { g: null, s: 0, f: 0 } : { g: String(this.g), s: this.s, f: this.f }
  }

  read(tags: readonly string[]): TagReply {
    return { ...this.now(), seqs: tags.map((tag) => (this.g === null ? null : (this.marks.get(tag) ?? null))) }
  }

  /** The marks at or above a sequence, newest first, one a tag; `full`: there were more than are told. */
  marksSince(s: number): { tags: string[]; seqs: number[]; full: boolean } {
    const tags: string[] = []
    const seqs: number[] = []
    if (this.g === null) return { tags, seqs, full: false }
    for (let i = this.recent.length - 1; i >= 0 && this.recent[i]![1] >= s; i--) {
      const [tag, seq] = this.recent[i]!
      // A mark that moved on, or was dropped below the floor, is none any more.
      if (this.marks.get(tag) !== seq) continue
      tags.push(tag)
      seqs.push(seq)
    }
    return { tags, seqs, full: this.forgottenTo >= s }
  }

  create(): void {
    if (this.g !== null) return
    this.g = FIRST_GENERATION + this.random.int(GENERATIONS)
    this.s = 2
    this.f = 0
    this.marks.clear()
    this.recent = []
    this.forgottenTo = 0
    this.members.clear()
    this.onMoved()
  }

  bump(tags: readonly string[], maxTags: number): void {
    this.create()
    this.s += 2
    for (const tag of tags) {
      this.marks.delete(tag)
      this.marks.set(tag, this.s - 1)
      this.recent.push([tag, this.s - 1])
    }
    if (this.recent.length > 2 * DELTA_LIMIT) {
      this.forgottenTo = this.recent.at(-DELTA_LIMIT - 1)![1]
      this.recent = this.recent.slice(-DELTA_LIMIT)
    }
    for (const [tag, mark] of this.marks) {
      if (this.marks.size <= maxTags) break
      this.marks.delete(tag)
      this.f = mark
    }
    this.onMoved()
  }

  newGeneration(): string {
    this.create()
    this.g! += 1 + this.random.int(1 << 20)
    this.onMoved()
    return String(this.g)
  }

  /** The members of holds, those that have expired among them: they stand until somebody finishes them. */
  holds(): StandingHold[] {
    return this.g === null ? [] : [...this.members.values()]
  }

  /** Adds the members of a hold, or sets their end anew. False: there would be too many, and none was added. */
  addHold(hold: Hold, endMs: number): boolean {
    this.create()
    const members = membersOf(hold, endMs)
    const added = [...members.keys()].filter((id) => !this.members.has(id)).length
    if (this.members.size + added > MOST_HOLD_MEMBERS) return false
    this.setMembers(members)
    return true
  }

  /** Sets the end of a hold anew. False: a member of it is gone, and nothing was done. */
  extendHold(hold: Hold, endMs: number): boolean {
    const members = membersOf(hold, endMs)
    if (this.g === null || [...members.keys()].some((id) => !this.members.has(id))) return false
    this.setMembers(members)
    return true
  }

  removeHold(hold: Hold): void {
    for (const id of membersOf(hold, 0).keys()) this.members.delete(id)
    this.onMoved()
  }

  /** Removes those of the members that have expired by now, and answers them. */
  removeExpired(members: readonly StandingHold[], nowMs: number): StandingHold[] {
    const removed = members.filter((member) => {
      const standing = this.g === null ? undefined : this.members.get(idOf(member))
      return standing !== undefined && standing.endMs <= nowMs && this.members.delete(idOf(member))
    })
    if (removed.length > 0) this.onMoved()
    return removed
  }

  private setMembers(members: ReadonlyMap<string, StandingHold>): void {
    for (const [id, member] of members) this.members.set(id, member)
    this.onMoved()
  }
}

function membersOf({ owner, keys, tags }: Hold, endMs: number): Map<string, StandingHold> {
  const members: StandingHold[] = [
    ...tags.map((name) => ({ owner, kind: 'tag', name, endMs }) as const),
    ...keys.map((name) => ({ owner, kind: 'key', name, endMs }) as const),
  ]
  return new Map(members.map((member) => [idOf(member), member]))
}

const idOf = ({ owner, kind, name }: StandingHold): string => JSON.stringify([owner, kind, name])

/** About how many marks one delta carries, as on Redis. */
const DELTA_LIMIT = 1_200
/** As on Redis, where every read is told of them all. */
const MOST_HOLD_MEMBERS = 100
const FIRST_GENERATION = 2 ** 45
const GENERATIONS = 2 ** 44
