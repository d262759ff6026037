import type {
  AcquireReply,
  CacheStore,
  ClockReply,
  Fill,
  FillReply,
  HeldLease,
  Hold,
  LeaseRequest,
  Lifetime,
  NewEntry,
  ReadReply,
  SetOutcome,
  SetReply,
  StandingHold,
  StoredEntry,
  TagReply,
} from '../cache-store.js'
import { isHigher } from '../../kernel/codec/version.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { type MemorySpace, spaceOf } from './memory-space.js'

/** The port in process: the same promises, for tests, a laptop, or a program of one process. Every method is one atomic step. */
export class MemoryCacheStore implements CacheStore {
  readonly inOrder = true
  readonly pushes: MemorySpace
  private readonly space: MemorySpace

  /** @param hub the memory "server"; caches with the same one share it. @param keyPrefix as the module's, default `vextrus:` */
  constructor(hub: MemoryHub = new MemoryHub(), keyPrefix = 'vextrus:') {
    this.space = spaceOf(hub, keyPrefix)
    this.pushes = this.space
  }

  async read(keys: readonly string[], since: number | null): Promise<ReadReply> {
    const source = { epoch: this.space.serverEpoch, nowMs: this.space.nowMs() }
    return {
      entries: keys.map((key) => handedOut(this.space.entry(key))),
      sources: keys.map(() => source),
      clock: this.clockReply(since),
    }
  }

  async tags(tags: readonly string[]): Promise<TagReply> {
    return this.space.tagClock.read(tags)
  }

  async createClock(): Promise<TagReply> {
    this.space.tagClock.create()
    return this.space.tagClock.read([])
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
      const version = fill.entry.version ?? this.versionThere(fill.entry)
      this.space.store(fill.key, this.stamped({ ...fill.entry, version }, fill.e))
      return true
    })
    return { stored, clock: this.space.tagClock.read(tags), holds: this.space.tagClock.holds() }
  }

  async set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    const outcomes = entries.map((entry): SetOutcome => {
      const there = this.space.entry(entry.key)
      // One of a later generation means that the writer is behind: the clock beside its answer tells it so, and it comes again.
      const counts = there !== null && Number(there.g) >= Number(entry.g)
      if (counts && entry.version !== null && there.version !== null && isHigher(there.version, entry.version)) {
        return 'older'
      }
      this.space.dropLease(entry.key)
      this.space.store(entry.key, this.stamped(entry, this.space.serverEpoch))
      return 'stored'
    })
    return { outcomes, clock: this.clockReply(since) }
  }

  async touch(key: string, seen: StoredEntry, lifetime: Lifetime): Promise<boolean> {
    const entry = this.space.entry(key)
    if (entry === null || entry.g !== seen.g || entry.s !== seen.s || entry.e !== seen.e) return false
    this.space.store(key, Object.freeze({ ...entry, ...this.expiries(lifetime) }))
    return true
  }

  async lifetime(key: string): Promise<number | null> {
    const entry = this.space.entry(key)
    return entry === null ? null : entry.hardAt - this.space.nowMs()
  }

  async delete(keys: readonly string[]): Promise<boolean[]> {
    return keys.map((key) => this.space.delete(key))
  }

  async deletePattern(glob: string): Promise<number> {
    return this.space.deletePattern(glob)
  }

  async bumpTags(tags: readonly string[], maxTags: number): Promise<void> {
    this.space.tagClock.bump(tags, maxTags)
  }

  async clear(): Promise<string> {
    return this.space.clear()
  }

  async reclaim(generation: string): Promise<number> {
    return this.space.reclaim(generation)
  }

  async placeHold(hold: Hold, ttlMs: number, maxTags: number): Promise<boolean> {
    if (!this.space.tagClock.addHold(hold, this.space.nowMs() + ttlMs)) return false
    this.invalidate(hold.keys, hold.tags, maxTags)
    return true
  }

  async renewHold(hold: Hold, ttlMs: number): Promise<boolean> {
    return this.space.tagClock.extendHold(hold, this.space.nowMs() + ttlMs)
  }

  async endHold(hold: Hold, maxTags: number): Promise<void> {
    this.invalidate(hold.keys, hold.tags, maxTags)
    this.space.tagClock.removeHold(hold)
  }

  async finishHolds(holds: readonly StandingHold[], maxTags: number): Promise<void> {
    const expired = this.space.tagClock.removeExpired(holds, this.space.nowMs())
    const names = (kind: 'key' | 'tag') => expired.filter((hold) => hold.kind === kind).map(({ name }) => name)
    this.invalidate(names('key'), names('tag'), maxTags)
  }

  private invalidate(keys: readonly string[], tags: readonly string[], maxTags: number): void {
    for (const key of keys) this.space.delete(key)
    if (tags.length > 0) this.space.tagClock.bump(tags, maxTags)
  }

  private held({ key, value }: HeldLease): { until: number } | null {
    const lease = this.space.lease(key)
    return lease?.value === value ? lease : null
  }

  /** The version of the entry that a new one is about to replace: it counts for nothing in another generation (R14). */
  private versionThere({ key, g }: NewEntry): string | null {
    const there = this.space.entry(key)
    return there?.g === g ? there.version : null
  }

  /** A copy of its own: what the caller does with its Buffer and its list of tags afterwards is no write. */
  private stamped(entry: NewEntry, e: string): StoredEntry {
    const { g, s, deltaMs, nearMs, codec, version } = entry
    const [tags, payload] = [Object.freeze([...entry.tags]), copied(entry.payload)]
    return Object.freeze({ g, s, e, deltaMs, nearMs, codec, version, tags, payload, ...this.expiries(entry) })
  }

  private expiries({ ttlMs, graceMs }: Lifetime): { softAt: number; hardAt: number } {
    const softAt = this.space.nowMs() + ttlMs
    return { softAt, hardAt: softAt + graceMs }
  }

  private clockReply(since: number | null): ClockReply {
    const { tagClock } = this.space
    const { g, s, f } = tagClock.now()
    const holds = tagClock.holds()
    if (since === null) return { g, s, f, tags: [], seqs: [], holds, full: false, base: true }
    return { g, s: s >= since ? s : null, f, ...tagClock.marksSince(since), holds, base: false }
  }
}

/** Strings can't be changed; a Buffer that is handed out could be. */
function handedOut(entry: StoredEntry | null): StoredEntry | null {
  if (entry === null || typeof entry.payload === 'string') return entry
  return { ...entry, payload: copied(entry.payload) }
}

function copied<Payload extends string | Buffer>(payload: Payload): Payload
function copied(payload: string | Buffer): string | Buffer {
  return typeof payload === 'string' ? payload : Buffer.from(payload)
}
