import type { Fill, FillReply, Lifetime, NewEntry, SetReply, StoredEntry } from '../cache/cache-store.js'
import type { MemoryHub } from '../kernel/memory-hub.js'
import { MemoryCacheStore } from '../cache/stores/memory.js'

/** A memory store that also remembers what was ever stored: what is gone is then evicted, expired, or was never there. */
export class RecordingStore extends MemoryCacheStore {
  /** For each key the moment, in monotonic ms of the hub's clock, at which its TTL ends; grace comes after it. */
  private readonly endsAt = new Map<string, number>()

  constructor(
    private readonly hub: MemoryHub,
    private readonly keyPrefix: string,
  ) {
    super(hub, keyPrefix)
  }

  /** A second way to the same entries, that remembers nothing. */
  beside(): MemoryCacheStore {
    return new MemoryCacheStore(this.hub, this.keyPrefix)
  }

  /** How long ago the entry's TTL ended (negative: how long it would still live); undefined: it was never stored. */
  endedMsAgo(key: string): number | undefined {
    const end = this.endsAt.get(key)
    return end === undefined ? undefined : this.hub.clock.mono() - end
  }

  override async fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply> {
    const reply = await super.fill(fills, tags)
    fills.forEach(({ entry }, i) => reply.stored[i] === true && this.note(entry.key, entry.ttlMs))
    return reply
  }

  override async set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    const reply = await super.set(entries, since)
    entries.forEach(({ key, ttlMs }, i) => reply.outcomes[i] === 'stored' && this.note(key, ttlMs))
    return reply
  }

  override async touch(key: string, seen: StoredEntry, lifetime: Lifetime): Promise<boolean> {
    const touched = await super.touch(key, seen, lifetime)
    if (touched) this.note(key, lifetime.ttlMs)
    return touched
  }

  private note(key: string, ttlMs: number): void {
    this.endsAt.set(key, this.hub.clock.mono() + ttlMs)
  }
}
