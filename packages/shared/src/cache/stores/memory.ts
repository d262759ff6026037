import type {
  AcquireReply,
  CacheStore,
  ClockReply,
  Fill,
  FillReply,
  HeldLease,
  LeaseRequest,
  NewEntry,
  ReadReply,
  SetReply,
  StoredEntry,
  TagReply,
} from '../cache-store.js'
import { MemoryHub, type MemorySpace } from './memory-hub.js'

/** The port in process: the same promises, for tests, a laptop, or a program of one process. */
export class MemoryCacheStore implements CacheStore {
  readonly wakes: MemorySpace
  private readonly space: MemorySpace

  /** @param hub the memory "server"; caches with the same one share it. @param keyPrefix as the module's, default `vextrus:` */
  constructor(hub: MemoryHub = new MemoryHub(), keyPrefix = 'vextrus:') {
    this.space = hub.space(keyPrefix)
    this.wakes = this.space
  }

  async read(keys: readonly string[], since: number | null): Promise<ReadReply> {
    return {
      entries: keys.map((key) => this.space.entry(key)),
      clock: this.clockReply(since),
      nowMs: this.space.nowMs(),
      epochs: keys.map(() => this.space.epoch),
    }
  }

  async tags(tags: readonly string[]): Promise<TagReply> {
    return this.space.readTags(tags)
  }

  async createClock(): Promise<TagReply> {
    this.space.createClock()
    return this.space.readTags([])
  }

  async acquire(leases: readonly LeaseRequest[], since: number | null): Promise<AcquireReply> {
    const now = this.space.nowMs()
    const answers = leases.map(({ key, token, ttlMs }) => {
      const { value, until } = this.space.lease(key) ?? this.space.grant(key, token, ttlMs)
      return { granted: value.startsWith(`${token}:`), value, remainingMs: until - now }
    })
    return {
      leases: answers,
      ...(await this.read(
        leases.map(({ key }) => key),
        since,
      )),
    }
  }

  async renew(leases: readonly HeldLease[], ttlMs: number): Promise<boolean[]> {
    return leases.map((lease) => {
      const held = this.held(lease)
      if (held !== null) held.until = this.space.nowMs() + ttlMs
      return held !== null
    })
  }

  async release(leases: readonly HeldLease[]): Promise<void> {
    for (const lease of leases) {
      if (this.held(lease) !== null) this.space.dropLease(lease.key)
      this.space.signal(lease.key)
    }
  }

  async fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply> {
    const stored = fills.map((fill) => {
      if (this.held(fill) === null) return false
      this.space.dropLease(fill.key)
      this.space.store(fill.key, this.stamped(fill.entry, fill.e))
      return true
    })
    return { stored, clock: this.space.readTags(tags) }
  }

  async set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    for (const entry of entries) {
      this.space.dropLease(entry.key)
      this.space.store(entry.key, this.stamped(entry, this.space.epoch))
    }
    return { stored: entries.map(() => true), clock: this.clockReply(since) }
  }

  async touch(key: string, seen: StoredEntry, ttlMs: number): Promise<boolean> {
    const entry = this.space.entry(key)
    if (entry === null || entry.g !== seen.g || entry.s !== seen.s || entry.e !== seen.e) return false
    const until = this.space.nowMs() + ttlMs
    this.space.store(key, { ...entry, softAt: until, hardAt: until })
    return true
  }

  async delete(keys: readonly string[]): Promise<boolean[]> {
    return keys.map((key) => {
      this.space.dropLease(key)
      const was = this.space.remove(key)
      this.space.signal(key)
      return was
    })
  }

  async bumpTags(tags: readonly string[], maxTags: number): Promise<void> {
    this.space.bump(tags, maxTags)
  }

  async clear(): Promise<void> {
    this.space.newGeneration()
  }

  private held({ key, value }: HeldLease): { until: number } | null {
    const lease = this.space.lease(key)
    return lease?.value === value ? lease : null
  }

  private stamped(entry: NewEntry, e: string): StoredEntry {
    const { key: _, ttlMs, ...rest } = entry
    const until = this.space.nowMs() + ttlMs
    return { ...rest, e, softAt: until, hardAt: until, version: null }
  }

  private clockReply(since: number | null): ClockReply {
    const { g, s, f } = this.space.clockNow()
    if (since === null) return { g, s, f, tags: [], seqs: [], full: false, base: true }
    const marks = this.space.marksSince(since)
    return { g, s: s >= since ? s : null, f, base: false, ...marks }
  }
}
