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
  /** Another caller of the same key, who shares this read. */
  next: Request | undefined
}

/**
 * Reads of entries, judged: one round trip a tick for all callers (R6), a second one only for tags never seen before (R4).
 *
 * Callers of one key share a read while it is unsent. A read that fails answers `away`; whoever reads never sees the store's errors.
 * The path of every hit: it makes no list or closure for a single request.
 */
export class EntryReader {
  private readonly batch = new TickBatch<Request>((requests) => this.flush(requests), { patient: true })

  constructor(
    private readonly store: CacheStore,
    private readonly clock: TagClock,
    private readonly onError: (error: CacheUnavailableError) => void,
  ) {}

  read(key: string): Promise<Found> {
    return new Promise((answer, fail) => this.batch.add({ key, answer, fail, next: undefined }))
  }

  private async flush(requests: Request[]): Promise<void> {
    const { keys, firsts } = byKey(requests)
    const since = this.clock.since
    try {
      const reply = await this.store.read(keys, since === null ? null : since.s)
      const reading = this.clock.apply(reply.clock, since)
      const unknown: number[] = []
      for (let i = 0; i < keys.length; i++) {
        const entry = reply.entries[i]!
        const verdict = entry === null ? 'invalid' : this.clock.judge(entry, reading, reply.epochs[i]!, reply.nowMs)
        if (verdict === 'unknown') unknown.push(i)
        else answer(firsts[i], { entry: verdict === 'valid' ? entry : null, nowMs: reply.nowMs, away: false })
      }
      if (unknown.length === 0) return
      const entries = unknown.map((i) => reply.entries[i]!)
      const valid = await lookUp(this.store, this.clock, entries)
      unknown.forEach((i, n) =>
        answer(firsts[i], { entry: valid[n]! ? entries[n]! : null, nowMs: reply.nowMs, away: false }),
      )
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.fail(error))
      this.onError(error)
      for (const request of requests) request.answer(AWAY)
    }
  }
}

/** The keys of a list, each once, and for each the first request of a chain. */
function byKey(requests: readonly Request[]): { keys: string[]; firsts: Request[] } {
  const known = new Map<string, Request>()
  const keys: string[] = []
  const firsts: Request[] = []
  for (const request of requests) {
    const first = known.get(request.key)
    if (first === undefined) {
      known.set(request.key, request)
      keys.push(request.key)
      firsts.push(request)
    } else {
      request.next = first.next
      first.next = request
    }
  }
  return { keys, firsts }
}

function answer(first: Request | undefined, found: Found): void {
  for (let request = first; request !== undefined; request = request.next) request.answer(found)
}

export const AWAY: Found = Object.freeze({ entry: null, nowMs: 0, away: true })

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
