import { TickBatch } from '../kernel/batch.js'
import type { RandomSource } from '../kernel/random.js'
import type { AcquireReply, CacheStore, Fill, HeldLease, LeaseRequest, StoredEntry } from './cache-store.js'
import { judgeAll, latest, lookUp, type OnHolds, readClock } from './entry-reader.js'
import { CacheUnavailableError } from './errors.js'
import { heldBy, isHeld, type Since, type TagClock, validBy } from './tag-clock.js'

/** What came of asking for a lease (R7). */
export type Claim =
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** Somebody filled it meanwhile; `lease` is to be released when the claim was granted all the same. */
  | { readonly kind: 'found'; readonly entry: StoredEntry; readonly lease: HeldLease | null }
  | { readonly kind: 'busy'; readonly holder: string; readonly remainingMs: number }
  /** Somebody's work on it is under way (R13): what is loaded now is not stored. */
  | { readonly kind: 'held'; readonly lease: HeldLease | null }
  /** Nobody can say; `lease` was granted before that, and is to be released. */
  | { readonly kind: 'away'; readonly lease: HeldLease | null }

/** A lease, and what the entry filled under it carries: generation, sequence and epoch of before the load. */
export interface Grant {
  readonly lease: HeldLease
  readonly g: string
  readonly s: number
  readonly e: string
}

interface ClaimRequest extends LeaseRequest {
  readonly replaces: StoredEntry | null
  resolve(claim: Claim): void
  reject(error: unknown): void
}

interface FillRequest {
  readonly fill: Fill
  resolve(accepted: boolean | null): void
  reject(error: unknown): void
}

/** Claims and fills of a tick, each list in one round trip, judged by the clock that travels beside them. */
export class LeaseBatches {
  private readonly claims = new TickBatch<ClaimRequest>((requests) => this.sendClaims(requests))
  private readonly fills = new TickBatch<FillRequest>((requests) => this.sendFills(requests))

  constructor(
    private readonly store: CacheStore,
    private readonly clock: TagClock,
    private readonly random: RandomSource,
    private readonly onError: (error: CacheUnavailableError) => void,
    private readonly onHolds: OnHolds,
  ) {}

  /**
   * Asks for the lease of a key. The token is new, so a grant whose reply was lost is nobody's.
   * @param replaces the entry that the caller has found wanting: that one does not count as found
   */
  claim(key: string, ttlMs: number, replaces: StoredEntry | null): Promise<Claim> {
    return new Promise((resolve, reject) => {
      this.claims.add({ key, token: this.random.token(), ttlMs, replaces, resolve, reject })
    })
  }

  /**
   * Stores under a lease (R8). True: it was stored, and nothing of it had been invalidated by then, so those who came late may have it (R9).
   * Null: the store gave no answer; the lease may still be held.
   */
  fill(fill: Fill): Promise<boolean | null> {
    return new Promise((resolve, reject) => this.fills.add({ fill, resolve, reject }))
  }

  private async sendClaims(requests: ClaimRequest[]): Promise<void> {
    let reply: AcquireReply | null = null
    try {
      const { since } = this.clock
      const sentAt = this.clock.sending()
      reply = await this.store.acquire(requests, since === null ? null : since.s)
      const claims = await this.judgeClaims(requests, reply, since, sentAt)
      requests.forEach((request, i) => request.resolve(claims[i]!))
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.reject(error))
      this.onError(error)
      requests.forEach(({ key, resolve }, i) => {
        const answered = reply?.leases[i] ?? null
        resolve({ kind: 'away', lease: answered?.granted === true ? { key, value: answered.value } : null })
      })
    }
  }

  private async judgeClaims(
    requests: ClaimRequest[],
    reply: AcquireReply,
    since: Since | null,
    sentAt: number,
  ): Promise<Claim[]> {
    const keys = requests.map(({ key }) => key)
    const { verdicts, reading } = judgeAll(this.clock, keys, reply, since, sentAt)
    const { held } = reading
    if (held !== null) this.onHolds(reply.clock.holds, latest(reply.sources))
    // The grant's g and s are of one reply (R7): this one's, or that of a clock made or read now. Later is as good: no load has begun.
    let { g, s } = reply.clock
    if (g === null || s === null) {
      const clock = await this.store.createClock()
      this.clock.learn([], clock)
      g = clock.g
      s = clock.s
    }
    const unknown = verdicts.flatMap((verdict, i) => (verdict === 'unknown' ? [i] : []))
    if (unknown.length > 0) {
      const valid = await lookUp(
        this.store,
        this.clock,
        unknown.map((i) => reply.entries[i]!),
      )
      unknown.forEach((i, n) => (verdicts[i] = valid[n]! ? 'valid' : 'invalid'))
    }
    return requests.map(({ key, replaces }, i): Claim => {
      const answered = reply.leases[i]!
      const source = reply.sources[i]!
      if (answered === null || source === null) return { kind: 'away', lease: null }
      const { granted, value, remainingMs } = answered
      const entry = reply.entries[i]!
      const lease = granted ? { key, value } : null
      if (verdicts[i] === 'valid' && !(replaces !== null && isSame(entry!, replaces))) {
        return { kind: 'found', entry: entry!, lease }
      }
      if (held !== null && isHeld(held, key, entry?.tags ?? [])) return { kind: 'held', lease }
      if (lease === null) return { kind: 'busy', holder: value, remainingMs }
      return { kind: 'granted', grant: { lease, g: g!, s: s!, e: source.epoch } }
    })
  }

  private async sendFills(all: FillRequest[]): Promise<void> {
    let requests: readonly FillRequest[] = all
    try {
      if (!this.store.inOrder) requests = await this.withoutHeld(all)
      if (requests.length === 0) return
      const tags = [...new Set(requests.flatMap(({ fill }) => fill.entry.tags))]
      const reply = await this.store.fill(
        requests.map(({ fill }) => fill),
        tags,
      )
      this.clock.learn(tags, reply.clock)
      const marks = new Map(tags.map((tag, i) => [tag, reply.clock.seqs[i]]))
      const held = heldBy(reply.holds)
      requests.forEach(({ fill: { entry }, resolve }, i) => {
        const entryMarks = entry.tags.map((tag) => marks.get(tag))
        const current = validBy(entry.g, entry.s, entryMarks, reply.clock)
        resolve(reply.stored[i]! && current && !(held !== null && isHeld(held, entry.key, entry.tags)))
      })
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.reject(error))
      this.onError(error)
      for (const request of requests) request.resolve(null)
    }
  }

  /** Those on which no hold stands; the others are not stored, and their leases are left to be released. */
  private async withoutHeld(requests: readonly FillRequest[]): Promise<readonly FillRequest[]> {
    const { held } = await readClock(this.store, this.clock)
    if (held === null) return requests
    return requests.filter(({ fill: { entry }, resolve }) => {
      const free = !isHeld(held, entry.key, entry.tags)
      if (!free) resolve(null)
      return free
    })
  }
}

function isSame(one: StoredEntry, other: StoredEntry): boolean {
  return (
    one.g === other.g &&
    one.s === other.s &&
    one.e === other.e &&
    one.softAt === other.softAt &&
    one.hardAt === other.hardAt
  )
}
