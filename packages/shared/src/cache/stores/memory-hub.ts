import { LRUCache } from 'lru-cache'
import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { StoredEntry, TagReply, WakeSource } from '../cache-store.js'

/** What a {@link MemoryHub} takes. */
export interface MemoryHubOptions {
  /** @default the machine's clock */
  readonly clock?: Clock | undefined
  /** @default the machine's CSPRNG */
  readonly random?: RandomSource | undefined
  /** Most bytes of payload kept a key prefix; beyond it the least recently used entries go. @default 268_435_456 (256 MiB) */
  readonly maxBytes?: number | undefined
}

/**
 * A memory "server": what several caches of one process share when they are given the same hub, as several processes share one Redis.
 * It is gone with its process.
 */
export class MemoryHub {
  readonly clock: Clock
  private readonly random: RandomSource
  private readonly maxBytes: number
  private readonly spaces = new Map<string, MemorySpace>()

  constructor({ clock = systemClock, random = systemRandom, maxBytes = 268_435_456 }: MemoryHubOptions = {}) {
    this.clock = clock
    this.random = random
    this.maxBytes = maxBytes
  }

  /** All that lives under one key prefix. */
  space(keyPrefix: string): MemorySpace {
    let space = this.spaces.get(keyPrefix)
    if (space === undefined)
      this.spaces.set(keyPrefix, (space = new MemorySpace(this.clock, this.random, this.maxBytes)))
    return space
  }
}

/** The entries, the leases and the tag clock under one prefix. Every method is one atomic step, as a script is in Redis. */
export class MemorySpace implements WakeSource {
  readonly live = true
  /** A memory server never fails over. */
  readonly epoch = 'inmemory'
  private readonly entries: LRUCache<string, StoredEntry>
  private readonly leases = new Map<string, { value: string; until: number }>()
  private readonly listeners = new Set<(key: string | null) => void>()
  private readonly startedAt: number
  private g: number | null = null
  private s = 0
  private f = 0
  /** Oldest mark first: a mark that moves is inserted anew. */
  private readonly marks = new Map<string, number>()
  /** The last marks in the order they were set, and the highest that has left the list. */
  private recent: [tag: string, seq: number][] = []
  private forgottenTo = 0

  constructor(
    private readonly clock: Clock,
    private readonly random: RandomSource,
    maxBytes: number,
  ) {
    this.startedAt = clock.wall() - clock.mono()
    this.entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (entry) => entry.payload.length + ENTRY_OVERHEAD,
    })
  }

  /** The server's clock: it only ever moves forward, whatever the machine's does. */
  nowMs(): number {
    return Math.floor(this.startedAt + this.clock.mono())
  }

  entry(key: string): StoredEntry | null {
    const entry = this.entries.get(key)
    if (entry === undefined) return null
    if (entry.hardAt > this.nowMs()) return entry
    this.entries.delete(key)
    return null
  }

  store(key: string, entry: StoredEntry): void {
    this.entries.set(key, entry)
    this.signal(key)
  }

  remove(key: string): boolean {
    const was = this.entry(key) !== null
    this.entries.delete(key)
    return was
  }

  lease(key: string): { value: string; until: number } | null {
    const lease = this.leases.get(key)
    if (lease === undefined) return null
    if (lease.until > this.nowMs()) return lease
    this.leases.delete(key)
    return null
  }

  grant(key: string, token: string, ttlMs: number): { value: string; until: number } {
    const now = this.nowMs()
    const lease = { value: `${token}:${now}`, until: now + ttlMs }
    this.leases.set(key, lease)
    return lease
  }

  dropLease(key: string): boolean {
    const was = this.lease(key) !== null
    this.leases.delete(key)
    return was
  }

  clockNow(): { readonly g: string | null; readonly s: number; readonly f: number } {
    return { g: this.g === null ? null : String(this.g), s: this.s, f: this.f }
  }

  readTags(tags: readonly string[]): TagReply {
    return { ...this.clockNow(), seqs: tags.map((tag) => this.marks.get(tag) ?? null) }
  }

  /** The marks at or above a sequence, newest first, one a tag; `full`: there were more than are told. */
  marksSince(s: number): { tags: string[]; seqs: number[]; full: boolean } {
    const tags: string[] = []
    const seqs: number[] = []
    for (let i = this.recent.length - 1; i >= 0 && this.recent[i]![1] >= s; i--) {
      const [tag, seq] = this.recent[i]!
      // A mark that moved on, or was dropped below the floor, is none any more.
      if (this.marks.get(tag) !== seq) continue
      tags.push(tag)
      seqs.push(seq)
    }
    return { tags, seqs, full: this.forgottenTo >= s }
  }

  createClock(): void {
    if (this.g !== null) return
    this.g = FIRST_GENERATION + this.random.int(GENERATIONS)
    this.s = 2
    this.f = 0
    this.marks.clear()
    this.recent = []
    this.forgottenTo = 0
  }

  bump(tags: readonly string[], maxTags: number): void {
    this.createClock()
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
  }

  newGeneration(): void {
    this.createClock()
    this.g! += 1 + this.random.int(1 << 20)
    this.signal(null)
  }

  /** Tells the waiters of a key; null: all. */
  signal(key: string | null): void {
    for (const listener of [...this.listeners]) listener(key)
  }

  listen(listener: (key: string | null) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }
}

/** About how many marks one delta carries, as on Redis. */
const DELTA_LIMIT = 1_200
/** Rough cost of an entry beside its payload. */
const ENTRY_OVERHEAD = 256
const FIRST_GENERATION = 2 ** 45
const GENERATIONS = 2 ** 44
