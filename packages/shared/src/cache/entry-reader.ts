import { TickBatch } from '../kernel/batch.js'
import type { Ticket } from '../kernel/coherent-map.js'
import type { CacheStore, ReadReply, Source, StandingHold, StoredEntry } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import { isHeld, type Reading, type TagClock, validBy } from './tag-clock.js'

/** What a read found: the valid entry at a key, and the store's clock at that moment. */
export interface Found {
  /** Null: nothing valid is there. */
  readonly entry: StoredEntry | null
  /** The store's clock, ms since 1970. */
  readonly nowMs: number
  /** True when the store gave no answer: a miss too, but one that asks for no lease. */
  readonly away: boolean
  /** True when somebody's work on it is under way (R13): a miss too; what is loaded now is not stored. */
  readonly held: boolean
  /** The value, where L1 answered; else the entry holds it. */
  readonly near?: { readonly value: unknown }
}

interface Request {
  readonly key: string
  /** For how long L1 may keep what is read, ms; undefined: as long as it keeps others; 0: not at all. */
  readonly nearMs: number | undefined
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
    private readonly onHolds: OnHolds,
    private readonly near: Filling | null,
  ) {}

  /** @param nearMs for how long L1 may keep what is read, ms; undefined: as long as it keeps others; 0: not at all */
  read(key: string, nearMs?: number): Promise<Found> {
    return new Promise((answer, fail) => this.batch.add({ key, nearMs, answer, fail, next: undefined }))
  }

  private async flush(requests: Request[]): Promise<void> {
    const { keys, firsts } = byKey(requests)
    const { since } = this.clock
    const sentAt = this.clock.sending()
    // R17: before the reading is sent.
    const tickets = this.near === null ? NO_TICKETS : firsts.map((first) => ticketFor(this.near!, first))
    try {
      const reply = await this.store.read(keys, since === null ? null : since.s)
      const reading = this.clock.apply(reply.clock, since, sentAt)
      if (reading.held !== null) this.onHolds(reply.clock.holds, latest(reply.sources))
      const unknown: number[] = []
      for (let i = 0; i < keys.length; i++) {
        const source = reply.sources[i]!
        const entry = reply.entries[i]!
        if (source === null) {
          answer(firsts[i], AWAY)
          continue
        }
        const verdict = entry === null ? 'invalid' : this.clock.judge(keys[i]!, entry, reading, source)
        if (verdict === 'unknown') unknown.push(i)
        else this.settle(firsts[i]!, entry, verdict === 'valid', source, reading, tickets[i])
      }
      if (unknown.length === 0) return
      const entries = unknown.map((i) => reply.entries[i]!)
      const valid = await lookUp(this.store, this.clock, entries)
      unknown.forEach((i, n) => this.settle(firsts[i]!, entries[n]!, valid[n]!, reply.sources[i]!, reading, tickets[i]))
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) return requests.forEach((request) => request.fail(error))
      this.onError(error)
      for (const request of requests) request.answer(AWAY)
    } finally {
      for (const ticket of tickets) ticket?.close()
    }
  }

  /** Into L1, if it may be kept, and to all callers of the key. In one step: a push in between would be missed (R17). */
  private settle(
    first: Request,
    entry: StoredEntry | null,
    valid: boolean,
    source: Source,
    reading: Reading,
    ticket: Ticket | null | undefined,
  ): void {
    // R20: which server answered what was redirected nobody can say.
    if (valid && ticket != null && source.redirected !== true) {
      this.near!.fill(first.key, entry!, source.nowMs, longest(first), ticket)
    }
    answer(first, found(first.key, entry, valid, source, reading))
  }
}

/** Where what was read is kept in process: L1. */
export interface Filling {
  ticket(key: string): Ticket
  /** Keeps a valid entry if its ticket allows it. @param nowMs the server's clock @param nearMs see {@link EntryReader.read} */
  fill(key: string, entry: StoredEntry, nowMs: number, nearMs: number | undefined, ticket: Ticket): void
}

const NO_TICKETS: readonly (Ticket | null)[] = Object.freeze([])

/** Null: none of its callers wants it kept. */
function ticketFor(near: Filling, first: Request): Ticket | null {
  for (let request: Request | undefined = first; request !== undefined; request = request.next) {
    if (request.nearMs !== 0) return near.ticket(first.key)
  }
  return null
}

/** What one of several callers wants longest. */
function longest(first: Request): number | undefined {
  let most: number | undefined = 0
  for (let request: Request | undefined = first; request !== undefined; request = request.next) {
    if (request.nearMs === undefined) return undefined
    most = Math.max(most, request.nearMs)
  }
  return most
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

function found(key: string, entry: StoredEntry | null, valid: boolean, { nowMs }: Source, { held }: Reading): Found {
  if (valid) return { entry, nowMs, away: false, held: false }
  return { entry: null, nowMs, away: false, held: held !== null && isHeld(held, key, entry?.tags ?? []) }
}

/** Told of the holds that a reading showed, with the store's clock at that moment. */
export type OnHolds = (holds: readonly StandingHold[], nowMs: number) => void

export function latest(sources: readonly (Source | null)[]): number {
  return sources.reduce((latestMs, source) => Math.max(latestMs, source?.nowMs ?? 0), 0)
}

const AWAY: Found = Object.freeze({ entry: null, nowMs: 0, away: true, held: false })

/**
 * Takes in the reply's clock and judges its entries, in one synchronous step: the table may only be as new as the entries or newer. An entry
 * that could not be read counts as invalid.
 */
export function judgeAll(
  clock: TagClock,
  keys: readonly string[],
  reply: ReadReply,
  since: TagClock['since'],
  sentAt: number,
): { readonly verdicts: ('valid' | 'invalid' | 'unknown')[]; readonly reading: Reading } {
  const reading = clock.apply(reply.clock, since, sentAt)
  const verdicts = reply.entries.map((entry, i) => {
    const source = reply.sources[i]!
    return entry === null || source === null ? 'invalid' : clock.judge(keys[i]!, entry, reading, source)
  })
  return { verdicts, reading }
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

/** Reads the clock alone, and takes it in (R3). */
export async function readClock(store: CacheStore, clock: TagClock): Promise<Reading> {
  const { since } = clock
  const sentAt = clock.sending()
  const reply = await store.read([], since === null ? null : since.s)
  return clock.apply(reply.clock, since, sentAt)
}
