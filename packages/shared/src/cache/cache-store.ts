import type { Envelope } from '../kernel/codec/envelope.js'
import type { InvalidationListener, InvalidationSource } from '../kernel/coherent-map.js'
import type { CacheUnavailableError } from './errors.js'

/**
 * The port: what the cache engine needs from storage.
 *
 * The store keeps entries, leases and the tag clock and says what they hold. It judges nothing: whether an entry is valid is decided by the
 * engine, in one place, from an entry and a clock reading (coherence rules R3–R5). It batches nothing: the engine hands it whole lists.
 * All operations of one store on one key travel in order; a list is one round trip, on a Cluster one to each master, side by side.
 *
 * Every method rejects with `CacheUnavailableError`, and nothing else, when no good answer came in time: the operation may or may not
 * have happened. Where one master of a Cluster is away, a list says so for its keys and goes on with the others.
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

  /**
   * Stores each entry if its lease still holds exactly this value, then drops the lease (R8); beside it one clock reading for R9. An entry
   * without a version keeps that of the one it replaces.
   */
  fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply>

  /**
   * Drops the leases, then stores the entries; a clock delta travels beside (R14). A write that lands after the store's own deadline has
   * passed is refused: its caller was told that it failed. An entry with a version does not replace one of the same generation, or of a later
   * one, whose version is higher, and then leaves the lease alone.
   */
  set(entries: readonly NewEntry[], since: number): Promise<SetReply>

  /** Rewrites the expiries of the entry at `key` if its generation, sequence and epoch are still those of `seen` (R14). */
  touch(key: string, seen: StoredEntry, lifetime: Lifetime): Promise<boolean>

  /** How long the key is still kept, ms; null: there is no such key. `Infinity`: for ever, which only a foreign writer does. */
  lifetime(key: string): Promise<number | null>

  /** For each key drops the lease, then the entry (R11); wakes waiters. Answers, for each key, whether an entry was there. */
  delete(keys: readonly string[]): Promise<boolean[]>

  /** {@link delete} of every key that matches a Redis glob (R12). Answers how many entries were there. */
  deletePattern(glob: string): Promise<number>

  /** Moves the clock on and marks the tags (R1). Beyond `maxTags` the oldest marks are dropped and `#f` raised. */
  bumpTags(tags: readonly string[], maxTags: number): Promise<void>

  /** A new generation (R2), then the marker that tells every process. Answers the generation. */
  clear(): Promise<string>

  /** Gives back the memory of entries of generations before this one, and of foreign values. Answers how many went. */
  reclaim(generation: string): Promise<number>

  /**
   * Places a hold (R13): its members, then R11 on its keys and a bump of its tags. Also places one anew that was lost.
   * @returns false: there are too many holds, and nothing was placed
   */
  placeHold(hold: Hold, ttlMs: number, maxTags: number): Promise<boolean>

  /** Extends a hold. False: a member of it is gone, so it must be placed anew. */
  renewHold(hold: Hold, ttlMs: number): Promise<boolean>

  /** R11 on the keys, then bump of the tags and removal of this hold's own members, these two in one step. */
  endHold(hold: Hold, maxTags: number): Promise<void>

  /** {@link endHold} for owners that have gone: it removes only what is still expired. */
  finishHolds(holds: readonly StandingHold[], maxTags: number): Promise<void>

  /**
   * True: one server answers, and what a call reads is read in this order: leases, entries, the clock. False: masters answer side by side, so
   * a claim may miss a hold that was placed meanwhile (R13); then the engine looks for holds once more before it fills (R8).
   */
  readonly inOrder: boolean

  /** What happens to keys, in any process, as it happens. */
  readonly pushes: PushSource
}

/**
 * Tells what happens to keys, in any process, and until when everything was told: what L1 stands on, and what wakes those who wait for
 * another process's load. Its keys are the engine's.
 */
export interface PushSource extends InvalidationSource {
  listen(listener: PushListener): () => void
  /**
   * R21: asks every server whether all has been told. True: every write acknowledged before this call has been. False: nobody can say, or
   * not in time. What is asked in one tick is asked once.
   */
  barrier(): Promise<boolean>
}

/** Called synchronously; must not throw. */
export interface PushListener extends InvalidationListener {
  /** The tag clock was written, or is gone: the next delta says how (R19). */
  clockMoved?(): void
  /** Whoever waits for the key may look again; no entry has changed. */
  signalled?(key: string): void
}

/** An entry as it is stored: its header and its payload. */
export type StoredEntry = Envelope

/** An entry about to be stored; the store adds its expiries, and for a `set` its epoch, from its own clock. */
export interface NewEntry extends Lifetime {
  readonly key: string
  readonly g: string
  readonly s: number
  readonly deltaMs: number
  readonly codec: string
  readonly tags: readonly string[]
  /** A decimal integer without sign and leading zeros; null: none. */
  readonly version: string | null
  /** For how long a process may keep it in its memory, ms; undefined: as long as it keeps others. */
  readonly nearMs?: number | undefined
  readonly payload: string | Buffer
}

/** How long an entry is fresh, and for how long it may be served afterwards. */
export interface Lifetime {
  readonly ttlMs: number
  readonly graceMs: number
}

/** What `invalidateAround` protects while its work is under way (R13). */
export interface Hold {
  /** Unique to the call. */
  readonly owner: string
  readonly keys: readonly string[]
  readonly tags: readonly string[]
}

/** One member of a hold, as a clock reading shows it. */
export interface StandingHold {
  readonly owner: string
  readonly kind: 'key' | 'tag'
  /** The key or the tag. */
  readonly name: string
  /** The store's clock, ms since 1970. */
  readonly endMs: number
}

/**
 * What one reply said of the clock. A *delta* carries every tag whose sequence is at or above the `since` it was asked with; a *base* carries
 * no tags and was asked with null. Both carry all holds. `g` null: there is no clock. `s` null: the clock went back behind `since`.
 */
export interface ClockReply {
  readonly g: string | null
  readonly s: number | null
  readonly f: number | null
  readonly tags: readonly string[]
  readonly seqs: readonly number[]
  readonly holds: readonly StandingHold[]
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
  /** For each key the server that it was read from; null: that one gave no answer. */
  readonly sources: readonly (Source | null)[]
  readonly clock: ClockReply
}

/** The server that an entry was read from. */
export interface Source {
  /** R16. */
  readonly epoch: string
  /** Its clock, ms since 1970. */
  readonly nowMs: number
  /** The reading was redirected on its way (R20): L1 keeps nothing of it. */
  readonly redirected?: true
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
  /** For each request: granted, the whole stored value, and how long it has to live; null: no answer. */
  readonly leases: readonly ({
    readonly granted: boolean
    readonly value: string
    readonly remainingMs: number
  } | null)[]
}

export interface Fill extends HeldLease {
  /** With the grant's `g`, `s`; `e` is the epoch it was granted on. */
  readonly entry: NewEntry
  readonly e: string
}

export interface FillReply {
  /** For each fill whether it was stored; in doubt it was not. */
  readonly stored: readonly boolean[]
  /** The clock after the fills, with the tags asked for. */
  readonly clock: TagReply
  readonly holds: readonly StandingHold[]
}

export interface SetReply {
  readonly outcomes: readonly SetOutcome[]
  readonly clock: ClockReply
}

/**
 * `late`: it reached the store after its deadline and was refused · `older`: an entry of a higher version is there · an error: no answer, or
 * a refusal by the server.
 */
export type SetOutcome = 'stored' | 'late' | 'older' | CacheUnavailableError
