import type { Clock } from '../../src/kernel/clock.js'
import {
  type Counter,
  type CounterReply,
  type Demand,
  type HitReply,
  type HitRequest,
  type News,
  type NewsListener,
  type Place,
  RateLimitUnavailableError,
  type RateLimitStore,
} from '../../src/rate-limit/index.js'

export type LimitOperation = Exclude<keyof RateLimitStore, symbol>

/**
 * What befalls one call to a store.
 *
 * - `'unsent'`: it never gets there, and its caller hears so
 * - `'reply lost'`: it is done, and its caller hears that it may not have been
 * - `'held'`: it is done at once, and answered when the test says {@link FaultyLimitStore.answerHeld}
 * - `{ replyMs }`: it is done at once and its answer comes so much later
 * - an error: that is what its caller hears, and nothing is done
 */
export type LimitFault = 'unsent' | 'reply lost' | 'held' | { readonly replyMs: number } | Error

/** Another store, behind a network that does what a test says. It remembers the calls. */
export class FaultyLimitStore implements RateLimitStore {
  /** What befalls the next calls of an operation, in order; afterwards {@link always}. */
  readonly next: Partial<Record<LimitOperation, (LimitFault | 'nothing')[]>> = {}
  /** What befalls every call. */
  always: LimitFault | undefined
  readonly calls: LimitOperation[] = []
  /** Those that {@link take} was called with. */
  readonly demands: Demand[] = []
  private readonly listeners = new Set<NewsListener>()
  /** News get lost, and nobody notices. */
  losesNews = false
  /** News wait until the test says {@link deliver}. */
  delaysNews = false
  private held: (() => void)[] = []
  private delayed: (() => void)[] = []

  constructor(
    private readonly inner: RateLimitStore,
    private readonly clock: Clock,
  ) {}

  take(demand: Demand): Promise<readonly CounterReply[]> {
    this.demands.push(demand)
    return this.call('take', () => this.inner.take(demand))
  }

  peek(demand: Demand): Promise<readonly CounterReply[]> {
    return this.call('peek', () => this.inner.peek(demand))
  }

  refund(demand: Demand): Promise<void> {
    return this.call('refund', () => this.inner.refund(demand))
  }

  reset(counters: readonly Counter[]): Promise<void> {
    return this.call('reset', () => this.inner.reset(counters))
  }

  hit(request: HitRequest): Promise<HitReply> {
    return this.call('hit', () => this.inner.hit(request))
  }

  enter(place: Place, limit: number, ttlMs: number): Promise<boolean> {
    return this.call('enter', () => this.inner.enter(place, limit, ttlMs))
  }

  leave(place: Place): Promise<void> {
    return this.call('leave', () => this.inner.leave(place))
  }

  seen(process: string, withinMs: number): Promise<number> {
    return this.call('seen', () => this.inner.seen(process, withinMs))
  }

  announce(news: News): Promise<void> {
    return this.call('announce', () => this.inner.announce(news))
  }

  listen(listener: NewsListener): Promise<() => void> {
    return this.call('listen', async () => {
      this.listeners.add(listener)
      const stop = await this.inner.listen({
        ...listener,
        news: (news) => {
          if (this.losesNews) return
          if (this.delaysNews) this.delayed.push(() => listener.news(news))
          else listener.news(news)
        },
      })
      return () => {
        this.listeners.delete(listener)
        stop()
      }
    })
  }

  get listening(): number {
    return this.listeners.size
  }

  /** The connection of the news is lost: what is told from now on doesn't get through. */
  deaf(): void {
    this.losesNews = true
    for (const listener of this.listeners) listener.deaf()
  }

  /** It is back. */
  heard(): void {
    this.losesNews = false
    for (const listener of this.listeners) listener.heard()
  }

  /** News that were delayed come now. */
  deliver(): void {
    for (const tell of this.delayed.splice(0)) tell()
  }

  /** What was `'held'` is answered now, in order. */
  async answerHeld(): Promise<void> {
    for (const answer of this.held.splice(0)) answer()
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** How often an operation was called since the last time this was asked. */
  taken(operation: LimitOperation): number {
    const count = this.calls.filter((call) => call === operation).length
    this.calls.splice(0, this.calls.length, ...this.calls.filter((call) => call !== operation))
    return count
  }

  private async call<T>(operation: LimitOperation, run: () => Promise<T>): Promise<T> {
    this.calls.push(operation)
    const scripted = this.next[operation]?.shift()
    const fault = scripted === 'nothing' ? undefined : (scripted ?? this.always)
    if (fault === undefined) return run()
    if (fault instanceof Error) throw fault
    if (fault === 'unsent') throw new RateLimitUnavailableError('the test let nothing through', { unsent: true })
    const outcome = await run()
    if (fault === 'reply lost') throw new RateLimitUnavailableError('the test let no answer through')
    await new Promise<void>((resolve) => {
      if (fault === 'held') this.held.push(resolve)
      else this.clock.timer(fault.replyMs, resolve)
    })
    return outcome
  }
}
