import type { Envelope } from '../kernel/codec/envelope.js'

/**
 * The port: what the cache engine needs from storage.
 *
 * The store keeps entries, leases and the tag clock and says what they hold. It judges nothing: whether an entry is valid is decided by the
 * engine, in one place, from an entry and a clock reading (coherence rules R3–R5). It batches nothing: the engine hands it whole lists.
 * All operations of one store travel in order; a list is one round trip.
 *
 * Every method rejects with `CacheUnavailableError`, and nothing else, when no good answer came in time: the operation may or may not
 * have happened.
 */
export interface CacheStore {
  /** Entries and the clock in one round trip (R6). `since`: the engine's S, or null when it knows none: the reply is then a base. */
  read(keys: readonly string[], since: number | null): Promise<ReadReply>

  /** One reading of the clock's `#g #s #f` and of these tags (R4), from one reply. Creates nothing. */
  tags(tags: readonly string[]): Promise<TagReply>

  /** Creates the clock if it is absent, then answers as `tags([])`: always with a generation. */
  createClock(): Promise<TagReply>

  /** For each key: takes the lease or says who holds it (R7); then the entries and the clock, all in one round trip. */
  acquire(leases: readonly LeaseRequest[], since: number | null): Promise<AcquireReply>

  /** Extends leases that still hold exactly this value; never re-creates one. True: it was still held. */
  renew(leases: readonly HeldLease[], ttlMs: number): Promise<boolean[]>

  /** Drops leases that still hold exactly this value, and wakes the waiters of their keys. */
  release(leases: readonly HeldLease[]): Promise<void>

  /** Stores each entry if its lease still holds exactly this value, then drops the lease (R8); beside it one clock reading for R9. */
  fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply>

  /**
   * Drops the leases, then stores the entries; a clock delta travels beside (R14). A write that lands after the store's own deadline has
   * passed is refused: its caller was told that it failed.
   */
  set(entries: readonly NewEntry[], since: number): Promise<SetReply>

  /** Rewrites the expiry of the entry at `key` if its generation, sequence and epoch are still those of `seen` (R14). */
  touch(key: string, seen: StoredEntry, ttlMs: number): Promise<boolean>

  /** For each key drops the lease, then the entry (R11); wakes waiters. Answers, for each key, whether an entry was there. */
  delete(keys: readonly string[]): Promise<boolean[]>

  /** Moves the clock on and marks the tags (R1). Beyond `maxTags` the oldest marks are dropped and `#f` raised. */
  bumpTags(tags: readonly string[], maxTags: number): Promise<void>

  /** A new generation (R2), then the marker that tells every process. */
  clear(): Promise<void>

  /** Where wake-ups come from. */
  readonly wakes: WakeSource
}

/** Tells the engine that something happened to a key, in any process: stored, deleted, expired or signalled. */
export interface WakeSource {
  /** False while pushes can be missed; the engine then also looks again on a timer. */
  readonly live: boolean
  /** `key` is the caller's key; null means that any key may be meant (a reset). Answers the way to stop listening. */
  listen(listener: (key: string | null) => void): () => void
}

/** An entry as it is stored: its header and its payload. */
export type StoredEntry = Envelope

/** An entry about to be stored; the store adds its expiries, and for a `set` its epoch, from its own clock. */
export interface NewEntry {
  readonly key: string
  readonly g: string
  readonly s: number
  readonly ttlMs: number
  readonly deltaMs: number
  readonly codec: string
  readonly tags: readonly string[]
  readonly payload: string
}

/**
 * What one reply said of the clock. A *delta* carries every tag whose sequence is at or above the `since` it was asked with; a *base* carries
 * no tags and was asked with null. `g` null: there is no clock. `s` null: the clock went back behind `since`.
 */
export interface ClockReply {
  readonly g: string | null
  readonly s: number | null
  readonly f: number | null
  readonly tags: readonly string[]
  readonly seqs: readonly number[]
  /** The reply was cut at its limit: there may be more. */
  readonly full: boolean
  readonly base: boolean
}

/** One reading of the clock and of some tags. `seqs[i]` null: that tag has no mark. */
export interface TagReply {
  readonly g: string | null
  readonly s: number
  readonly f: number
  readonly seqs: readonly (number | null)[]
}

export interface ReadReply {
  readonly entries: readonly (StoredEntry | null)[]
  readonly clock: ClockReply
  /** The store's clock, ms since 1970. */
  readonly nowMs: number
  /** For each key the epoch of the shard it was read from. */
  readonly epochs: readonly string[]
}

export interface LeaseRequest {
  readonly key: string
  /** Unique to this acquisition. */
  readonly token: string
  readonly ttlMs: number
}

/** A lease that this process was granted: the whole stored value, `<token>:<store time>`. */
export interface HeldLease {
  readonly key: string
  readonly value: string
}

export interface AcquireReply extends ReadReply {
  /** For each request: granted, the whole stored value, and how long it has to live. */
  readonly leases: readonly { readonly granted: boolean; readonly value: string; readonly remainingMs: number }[]
}

export interface Fill extends HeldLease {
  /** With the grant's `g`, `s`; `e` is the epoch it was granted on. */
  readonly entry: NewEntry
  readonly e: string
}

export interface FillReply {
  /** For each fill whether it was stored. */
  readonly stored: readonly boolean[]
  /** The clock after the fills, with the tags asked for. */
  readonly clock: TagReply
}

export interface SetReply {
  /** For each entry whether it was stored; false: too late. */
  readonly stored: readonly boolean[]
  readonly clock: ClockReply
}
