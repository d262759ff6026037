import type { Hold } from './cache-store.js'

/** An invalidation that is still owed to the store. */
export type Owed =
  | { readonly kind: 'clear' }
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  | { readonly kind: 'hold'; readonly hold: Hold }
  | { readonly kind: 'pattern'; readonly glob: string }

/** All kinds, the cheap ones that cover most first. */
export const OWED_KINDS = ['clear', 'tags', 'keys', 'hold', 'pattern'] as const satisfies readonly Owed['kind'][]

/** Keys of one `delete` when they are repeated. */
const MOST_KEYS = 500

/** How much one of them counts: its names. */
export function sizeOf(owed: Owed): number {
  switch (owed.kind) {
    case 'keys':
      return owed.keys.length
    case 'tags':
      return owed.tags.length
    case 'hold':
      return holdSize(owed.hold)
    default:
      return 1
  }
}

/**
 * The invalidations that a process still owes to the store (R24), equal ones once.
 *
 * It keeps no order and needs none: each of them only takes entries away, none puts one back, so once all have been carried out the outcome
 * is the same in any order – and nobody reads before that.
 *
 * A clear takes in the tags: an entry with a tag belongs to a generation. It doesn't take in keys and patterns, for these also remove what
 * foreign programs wrote, which has no generation; nor the ends of holds, without which their keys would go on missing until they expire.
 *
 * Beyond its limit all of it becomes one clear, which makes every entry of ours a miss and so covers more than was owed; the scan that
 * follows a clear takes the foreign values. The forgotten holds expire, and then whoever sees them finishes them (R13): until then their
 * keys are misses.
 */
export class ReplayLog {
  private clear = false
  private readonly tags = new Set<string>()
  private readonly keys = new Set<string>()
  private readonly patterns = new Set<string>()
  private readonly holds = new Map<string, Hold>()
  private namesOfHolds = 0

  /** @param limit how many names it holds at most */
  constructor(private readonly limit = 10_000) {}

  /** Names in it: keys, tags, patterns, and those of holds; a clear is one. */
  get size(): number {
    return Number(this.clear) + this.tags.size + this.keys.size + this.patterns.size + this.namesOfHolds
  }

  /** @returns false: there was no room, and all of it has become one clear */
  add(owed: Owed): boolean {
    switch (owed.kind) {
      case 'clear':
        this.clear = true
        this.tags.clear()
        break
      case 'tags':
        if (!this.clear) for (const tag of owed.tags) this.tags.add(tag)
        break
      case 'keys':
        for (const key of owed.keys) this.keys.add(key)
        break
      case 'pattern':
        this.patterns.add(owed.glob)
        break
      case 'hold':
        if (!this.holds.has(owed.hold.owner)) this.namesOfHolds += holdSize(owed.hold)
        this.holds.set(owed.hold.owner, owed.hold)
    }
    if (this.size <= this.limit) return true
    this.becomeClear()
    return false
  }

  /** Takes out some of this kind, in pieces that the store can do in one go; null: there is none. What fails must be added again. */
  take(kind: Owed['kind']): Owed | null {
    switch (kind) {
      case 'clear': {
        if (!this.clear) return null
        this.clear = false
        return { kind }
      }
      case 'tags': {
        if (this.tags.size === 0) return null
        const tags = [...this.tags]
        this.tags.clear()
        return { kind, tags }
      }
      case 'keys': {
        const keys: string[] = []
        for (const key of this.keys) {
          if (keys.push(key) === MOST_KEYS) break
        }
        if (keys.length === 0) return null
        for (const key of keys) this.keys.delete(key)
        return { kind, keys }
      }
      case 'pattern': {
        for (const glob of this.patterns) {
          this.patterns.delete(glob)
          return { kind, glob }
        }
        return null
      }
      case 'hold': {
        for (const hold of this.holds.values()) {
          this.holds.delete(hold.owner)
          this.namesOfHolds -= holdSize(hold)
          return { kind, hold }
        }
        return null
      }
    }
  }

  private becomeClear(): void {
    this.clear = true
    this.tags.clear()
    this.keys.clear()
    this.patterns.clear()
    this.holds.clear()
    this.namesOfHolds = 0
  }
}

const holdSize = ({ keys, tags }: Hold): number => keys.length + tags.length
