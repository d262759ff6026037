import { TickBatch } from '../kernel/batch.js'
import type { RandomSource } from '../kernel/random.js'
import type { AcquireReply, CacheStore, Fill, HeldLease, LeaseRequest, StoredEntry } from './cache-store.js'
import { judgeAll, lookUp } from './entry-reader.js'
import { CacheUnavailableError } from './errors.js'
import { type Since, type TagClock, validBy } from './tag-clock.js'

/** What came of asking for a lease (R7). */
export type Claim =
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** Somebody filled it meanwhile; `lease` is to be released when the claim was granted all the same. */
  | { readonly kind: 'found'; readonly entry: StoredEntry; readonly lease: HeldLease | null }
  | { readonly kind: 'busy'; readonly holder: string; readonly remainingMs: number }
  | { readonly kind: 'away' }

/** A lease, and what the entry filled under it carries: generation, sequence and epoch of before the load. */
export interface Grant {
  readonly lease: HeldLease
  readonly g: string
  readonly s: number
  readonly e: string
}

interface ClaimRequest extends LeaseRequest {
  resolve(claim: Claim): void
  reject(error: unknown): void
}

interface FillRequest {
  readonly fill: Fill
  resolve(accepted: boolean): void
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
  ) {}

  /** Asks for the lease of a key. The token is new, so a grant whose reply was lost is nobody's. */
  claim(key: string, ttlMs: number): Promise<Claim> {
    return new Promise((resolve, reject) => {
      this.claims.add({ key, token: this.random.token(), ttlMs, resolve, reject })
    })
  }

  /** Stores under a lease (R8). True: it was stored, and nothing of it had been invalidated by then, so those who came late may have it (R9). */
  fill(fill: Fill): Promise<boolean> {
    return new Promise((resolve, reject) => this.fills.add({ fill, resolve, reject }))
  }

  private async sendClaims(requests: ClaimRequest[]): Promise<void> {
    try {
      const since = this.clock.since
      const reply = await this.store.acquire(requests, since === null ? null : since.s)
      const claims = await this.judgeClaims(requests, reply, since)
      requests.forEach((request, i) => request.resolve(claims[i]!))
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.reject(error))
      this.onError(error)
      for (const request of requests) request.resolve({ kind: 'away' })
    }
  }

  private async judgeClaims(requests: ClaimRequest[], reply: AcquireReply, since: Since | null): Promise<Claim[]> {
    const verdicts = judgeAll(this.clock, reply, since)
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
    return requests.map(({ key }, i): Claim => {
      const { granted, value, remainingMs } = reply.leases[i]!
      const lease = { key, value }
      if (verdicts[i] === 'valid') return { kind: 'found', entry: reply.entries[i]!, lease: granted ? lease : null }
      if (!granted) return { kind: 'busy', holder: value, remainingMs }
      return { kind: 'granted', grant: { lease, g: g!, s: s!, e: reply.epochs[i]! } }
    })
  }

  private async sendFills(requests: FillRequest[]): Promise<void> {
    try {
      const tags = [...new Set(requests.flatMap(({ fill }) => fill.entry.tags))]
      const reply = await this.store.fill(
        requests.map(({ fill }) => fill),
        tags,
      )
      this.clock.learn(tags, reply.clock)
      const marks = new Map(tags.map((tag, i) => [tag, reply.clock.seqs[i]]))
      requests.forEach(({ fill: { entry }, resolve }, i) => {
        const entryMarks = entry.tags.map((tag) => marks.get(tag))
        resolve(reply.stored[i]! && validBy(entry.g, entry.s, entryMarks, reply.clock))
      })
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.reject(error))
      this.onError(error)
      for (const request of requests) request.resolve(false)
    }
  }
}
