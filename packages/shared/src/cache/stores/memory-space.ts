import { LRUCache } from 'lru-cache'
import type { Clock } from '../../kernel/clock.js'
import { globMatcher } from '../../kernel/glob.js'
import type { MemoryHub } from '../../kernel/memory-hub.js'
import type { RandomSource } from '../../kernel/random.js'
import type { PushListener, PushSource, StoredEntry } from '../cache-store.js'
import { MemoryTagClock } from './memory-clock.js'

/** The cache's part of a memory "server": all that lives there under one key prefix. */
export function spaceOf(hub: MemoryHub, keyPrefix: string): MemorySpace {
  return hub.part('cache', keyPrefix, ({ clock, random, maxBytes }) => new MemorySpace(clock, random, maxBytes))
}

/** The entries, the leases and the tag clock under one prefix. Every method is one atomic step, as a script is in Redis. */
export class MemorySpace implements PushSource {
  readonly live = true
  readonly epoch = 1
  /** A memory server never fails over. */
  readonly serverEpoch = 'inmemory'
  readonly tagClock: MemoryTagClock
  private readonly entries: LRUCache<string, StoredEntry>
  private readonly leases = new Map<string, { value: string; until: number }>()
  private readonly listeners = new Set<PushListener>()
  private readonly startedAt: number

  constructor(
    private readonly clock: Clock,
    random: RandomSource,
    maxBytes: number,
  ) {
    this.startedAt = clock.wall() - clock.mono()
    this.tagClock = new MemoryTagClock(random, () => this.tell((listener) => listener.clockMoved?.()))
    this.entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (entry) => entry.payload.length + ENTRY_OVERHEAD,
      // As Redis tells of what it evicts.
      dispose: (_entry, key, reason) => reason === 'evict' && this.changed(key),
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

  /** Keeps the object itself: whoever calls may not change it any more. */
  store(key: string, entry: StoredEntry): void {
    this.entries.set(key, entry)
    this.changed(key)
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

  /** R11: the lease, then the entry; whoever waits looks again. True: there was an entry. */
  delete(key: string): boolean {
    this.dropLease(key)
    const was = this.remove(key)
    this.changed(key)
    return was
  }

  /** R12: all leases before the first entry. Answers how many entries there were. */
  deletePattern(glob: string): number {
    const matches = globMatcher(glob)
    const leased = [...this.leases.keys()].filter(matches)
    const keys = new Set([...leased, ...[...this.entries.keys()].filter(matches)])
    for (const key of leased) this.dropLease(key)
    return [...keys].filter((key) => this.delete(key)).length
  }

  /** Removes the entries of generations before this one and answers how many. */
  reclaim(generation: string): number {
    const old = [...this.entries.entries()].filter(([, { g }]) => Number(g) < Number(generation))
    for (const [key] of old) this.entries.delete(key)
    return old.length
  }

  /** R2. Answers the new generation. */
  clear(): string {
    const generation = this.tagClock.newGeneration()
    this.tell((listener) => listener.reset('cleared'))
    return generation
  }

  /** Wakes those who wait for a key. */
  signal(key: string): void {
    this.tell((listener) => listener.signalled?.(key))
  }

  /** Everything has always been told: it is told in the step in which it happens. */
  validFrom(): number {
    return Infinity
  }

  async barrier(): Promise<boolean> {
    return true
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  private changed(key: string): void {
    this.tell((listener) => listener.invalidate(key))
  }

  private tell(what: (listener: PushListener) => void): void {
    for (const listener of [...this.listeners]) what(listener)
  }
}

/** Rough cost of an entry beside its payload. */
const ENTRY_OVERHEAD = 256
