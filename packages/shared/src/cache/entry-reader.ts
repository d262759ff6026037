import { TickBatch } from '../kernel/batch.js'
import type { CacheStore, ReadReply, StoredEntry } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import { type TagClock, validBy } from './tag-clock.js'

/** What a read found: the valid entry at a key, and the store's clock at that moment. */
export interface Found {
  /** Null: nothing valid is there. */
  readonly entry: StoredEntry | null
  /** The store's clock, ms since 1970. */
  readonly nowMs: number
  /** True when the store gave no answer: a miss too, but one that asks for no lease. */
  readonly away: boolean
}

interface Request {
  readonly key: string
  readonly answer: (found: Found) => void
  readonly fail: (defect: unknown) => void
}

/**
 * Reads of entries, judged: one round trip a tick for all callers (R6), a second one only for tags never seen before (R4).
 *
 * Callers of one key share a read while it is unsent. A read that fails answers `away`; whoever reads never sees the store's errors.
 */
export class EntryReader {
  private readonly batch = new TickBatch<Request>((requests) => this.flush(requests), { patient: true })

  constructor(
    private readonly store: CacheStore,
    private readonly clock: TagClock,
    private readonly onError: (error: CacheUnavailableError) => void,
  ) {}

  read(key: string): Promise<Found> {
    return new Promise((answer, fail) => this.batch.add({ key, answer, fail }))
  }

  private async flush(requests: Request[]): Promise<void> {
    const byKey = new Map<string, Request[]>()
    for (const request of requests) {
      const same = byKey.get(request.key)
      if (same === undefined) byKey.set(request.key, [request])
      else same.push(request)
    }
    const keys = [...byKey.keys()]
    const since = this.clock.since
    const answer = (i: number, found: Found) => {
      for (const request of byKey.get(keys[i]!)!) request.answer(found)
    }
    try {
      const reply = await this.store.read(keys, since === null ? null : since.s)
      const verdicts = judgeAll(this.clock, reply, since)
      const unknown: number[] = []
      for (let i = 0; i < keys.length; i++) {
        if (verdicts[i] === 'unknown') unknown.push(i)
        else answer(i, found(reply, i, verdicts[i] === 'valid'))
      }
      if (unknown.length > 0) {
        const valid = await lookUp(
          this.store,
          this.clock,
          unknown.map((i) => reply.entries[i]!),
        )
        unknown.forEach((i, n) => answer(i, found(reply, i, valid[n]!)))
      }
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.fail(error))
      this.onError(error)
      for (const request of requests) request.answer(AWAY)
    }
  }
}

export const AWAY: Found = Object.freeze({ entry: null, nowMs: 0, away: true })

const found = (reply: ReadReply, i: number, valid: boolean): Found => ({
  entry: valid ? reply.entries[i]! : null,
  nowMs: reply.nowMs,
  away: false,
})

/** Takes in the reply's clock and judges its entries, in one synchronous step: the table may only be as new as the entries or newer. */
export function judgeAll(
  clock: TagClock,
  reply: ReadReply,
  since: TagClock['since'],
): ('valid' | 'invalid' | 'unknown')[] {
  const reading = clock.apply(reply.clock, since)
  return reply.entries.map((entry, i) =>
    entry === null ? 'invalid' : clock.judge(entry, reading, reply.epochs[i]!, reply.nowMs),
  )
}

/** Asks for the tags of entries that the table could not judge, and judges them by that answer alone (R4). */
export async function lookUp(store: CacheStore, clock: TagClock, entries: readonly StoredEntry[]): Promise<boolean[]> {
  const tags = [...new Set(entries.flatMap((entry) => entry.tags))]
  const reply = await store.tags(tags)
  clock.learn(tags, reply)
  const marks = new Map(tags.map((tag, i) => [tag, reply.seqs[i]]))
  return entries.map((entry) =>
    validBy(
      entry.g,
      entry.s,
      entry.tags.map((tag) => marks.get(tag)),
      reply,
    ),
  )
}
