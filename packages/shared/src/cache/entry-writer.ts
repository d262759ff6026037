import { TickBatch } from '../kernel/batch.js'
import { isHigher } from '../kernel/codec/version.js'
import type { CacheStore, ClockReply, NewEntry } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import type { Since, TagClock } from './tag-clock.js'

/** An entry as its writer knows it; generation and sequence are put in when it is sent. */
export type Write = Omit<NewEntry, 'g' | 's'>

interface Request {
  readonly write: Write
  readonly done: () => void
  readonly fail: (error: unknown) => void
}

/** Direct writes (R14): stored with the clock as known, and once more when the clock read beside the write had moved. */
export class EntryWriter {
  private readonly batch = new TickBatch<Request>((requests) => this.flush(requests))

  constructor(
    private readonly store: CacheStore,
    private readonly clock: TagClock,
  ) {}

  /** @throws CacheUnavailableError it may or may not be stored, and it won't be stored later; what was there before goes, now or later (R24) */
  write(write: Write): Promise<void> {
    return new Promise((done, fail) => this.batch.add({ write, done, fail }))
  }

  private async flush(requests: Request[]): Promise<void> {
    try {
      const since = this.clock.since ?? (await this.current(requests))
      const { again, seen } = await this.send(requests, since, hasMoved)
      // With what the first answer said, so that an invalidation between the two still wins. Never a third time: a clock that moves again
      // overlaps this very call, and the entry is a miss at worst.
      if (again.length > 0) await this.send(again, seen ?? (await this.current(again)), () => false)
    } catch (error) {
      for (const request of requests) request.fail(error)
    }
  }

  private async send(
    requests: Request[],
    since: Since,
    moved: typeof hasMoved,
  ): Promise<{ readonly again: Request[]; readonly seen: Since | null }> {
    const sentAt = this.clock.sending()
    const reply = await this.store.set(
      requests.map(({ write }) => ({ ...write, g: since.g, s: since.s })),
      since.s,
    )
    const { g, s } = reply.clock
    this.clock.apply(reply.clock, since, sentAt)
    const again = requests.filter((request, i) => {
      const outcome = reply.outcomes[i]!
      if (outcome === 'late') request.fail(tooLate(request.write.key))
      else if (outcome instanceof CacheUnavailableError) request.fail(outcome)
      else if (moved(reply.clock, since, request.write, outcome) && isLast(requests, i)) return true
      else request.done()
      return false
    })
    return { again, seen: g === null || s === null ? null : { g, s } }
  }

  private async current(requests: readonly Request[]): Promise<Since> {
    try {
      const reply = await this.store.createClock()
      this.clock.learn([], reply)
      return { g: reply.g!, s: reply.s }
    } catch (error) {
      if (error instanceof CacheUnavailableError) await this.forget(requests)
      throw error
    }
  }

  /** The entry from before must go, as after every write that failed (R24). The log knows of those that were sent, and of this delete. */
  private async forget(requests: readonly Request[]): Promise<void> {
    try {
      await this.store.delete([...new Set(requests.map(({ write }) => write.key))])
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
    }
  }
}

/** Whether the entry, as it was just stored, would be judged invalid by this reply; a reply that can't tell counts as yes. */
function hasMoved(reply: ClockReply, since: Since, write: Write, outcome: 'stored' | 'older'): boolean {
  // A version says nothing across generations: what was refused for it may have been compared with an entry that is void.
  if (reply.g !== since.g || reply.s === null) return true
  if (outcome === 'older' || write.tags.length === 0) return false
  if (reply.full || (reply.f !== null && reply.f > since.s)) return true
  return reply.tags.some((tag, i) => reply.seqs[i]! > since.s && write.tags.includes(tag))
}

/** Whether no later write of the list has replaced this one: sent again, it would replace that. One of a lower version replaces nothing. */
function isLast(requests: readonly Request[], i: number): boolean {
  const { key, version } = requests[i]!.write
  const replaces = ({ write }: Request): boolean =>
    write.key === key && (version === null || write.version === null || !isHigher(version, write.version))
  return requests.findLastIndex(replaces) === i
}

const tooLate = (key: string): CacheUnavailableError =>
  new CacheUnavailableError(
    'the write reached Redis after its deadline and was refused; raise `commandTimeout` or call again',
    { key },
  )
