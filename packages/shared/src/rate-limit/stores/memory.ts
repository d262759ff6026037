import type { LRUCache } from 'lru-cache'
import type { Clock } from '../../kernel/clock.js'
import { growingLru } from '../../kernel/growing-lru.js'
import type { MemoryHub } from '../../kernel/memory-hub.js'
import { type CounterState, Moment, UNUSED } from '../counting.js'
import type {
  Counter,
  CounterReply,
  Demand,
  HitReply,
  HitRequest,
  News,
  NewsListener,
  Place,
  RateLimitStore,
} from '../rate-limit-store.js'

/** The port in process, on what modules of one `MemoryHub` share. Says and does what the scripts of `lua/` do, step by step. */
export class MemoryRateLimitStore implements RateLimitStore {
  private readonly space: MemoryLimitSpace

  constructor(hub: MemoryHub, keyPrefix: string) {
    this.space = hub.part('rate-limit', keyPrefix, ({ clock }) => new MemoryLimitSpace(clock))
  }

  async take(demand: Demand): Promise<readonly CounterReply[]> {
    return this.space.counters.judge(demand, true)
  }

  async peek(demand: Demand): Promise<readonly CounterReply[]> {
    return this.space.counters.judge(demand, false)
  }

  async refund(demand: Demand): Promise<void> {
    for (const ask of demand) this.space.counters.giveBack(ask, ask.cost)
    this.space.tellOf(demand)
  }

  async reset(counters: readonly Pick<Counter, 'id'>[]): Promise<void> {
    for (const { id } of counters) this.space.forget(id)
    this.space.tellOf(counters)
  }

  async hit(request: HitRequest): Promise<HitReply> {
    return this.space.hit(request)
  }

  async enter(place: Place, limit: number, ttlMs: number): Promise<boolean> {
    return this.space.enter(place, limit, ttlMs)
  }

  async leave({ id, token }: Place): Promise<void> {
    this.space.leave(id, token)
  }

  async seen(process: string, withinMs: number): Promise<number> {
    return this.space.seen(process, withinMs)
  }

  async announce(news: News): Promise<void> {
    this.space.tell(news)
  }

  async listen(listener: NewsListener): Promise<() => void> {
    return this.space.listen(listener)
  }
}

/** Counters in process, the least recently used of which go first: also what a limiter counts by while its store is away. */
export class MemoryCounters {
  private readonly states: LRUCache<string, CounterState>

  constructor(
    private readonly clock: Clock,
    most: number,
  ) {
    this.states = growingLru(most)
  }

  /** One atomic step. */
  judge(demand: Demand, spend: boolean): CounterReply[] {
    const nowUs = this.nowUs
    const moments = demand.map(({ id, spec }) => new Moment(spec, this.states.get(id) ?? UNUSED, nowUs))
    const grants = demand.map(({ cost, most }, i) => moments[i]!.grant(cost, most))
    if (spend && !grants.includes(0)) {
      demand.forEach(({ id }, i) => this.states.set(id, moments[i]!.spend(grants[i]!)))
    }
    return demand.map(({ cost }, i) => moments[i]!.reply(grants[i]!, cost))
  }

  giveBack({ id, spec }: Counter, units: number): void {
    const state = this.states.get(id)
    if (state !== undefined) this.states.set(id, new Moment(spec, state, this.nowUs).giveBack(units))
  }

  forget(id: string): void {
    this.states.delete(id)
  }

  private get nowUs(): number {
    return Math.floor(this.clock.mono() * 1_000)
  }
}

/** More than any laptop or test has. */
const MOST_COUNTERS = 1_000_000

/** The limits under one prefix. Every method is one atomic step, as a script is in Redis. */
export class MemoryLimitSpace {
  readonly counters: MemoryCounters
  private readonly windows: LRUCache<string, HitWindow>
  private readonly places: LRUCache<string, Map<string, number>>
  private readonly processes = new Map<string, number>()
  private readonly listeners = new Set<NewsListener>()

  /** @param most of each kind; the least recently used go first */
  constructor(
    private readonly clock: Clock,
    most = MOST_COUNTERS,
  ) {
    this.counters = new MemoryCounters(clock, most)
    this.windows = growingLru(most)
    this.places = growingLru(most)
  }

  hit({ id, by, windowMs, limit = -1, blockMs = 0 }: HitRequest): HitReply {
    const now = this.clock.mono()
    let { hits, ends, opens } = this.windows.get(id) ?? { hits: 0, ends: 0, opens: 0 }
    if (opens > now) return { hits, resetMs: Math.max(0, whole(ends - now)), blockedMs: whole(opens - now) }
    // What was counted up to a closing was paid for by it; else the same requests would close it again and again.
    if (ends <= now || opens > 0) [hits, ends, opens] = [0, now + windowMs, 0]
    if (by === 0 || (by < 0 && hits === 0)) return { hits, resetMs: hits > 0 ? whole(ends - now) : 0, blockedMs: 0 }
    hits += by
    if (by > 0 && blockMs > 0 && limit >= 0 && hits > limit) opens = now + blockMs
    this.windows.set(id, { hits, ends, opens })
    return { hits, resetMs: whole(ends - now), blockedMs: Math.max(0, whole(opens - now)) }
  }

  /** A counter of either kind. */
  forget(id: string): void {
    this.counters.forget(id)
    this.windows.delete(id)
  }

  enter({ id, token }: Place, limit: number, ttlMs: number): boolean {
    const now = this.clock.mono()
    const taken = this.places.get(id) ?? new Map<string, number>()
    let others = 0
    for (const [other, until] of taken) if (until > now && other !== token) others++
    if (others >= limit) return false
    for (const [other, until] of taken) if (until <= now) taken.delete(other)
    this.places.set(id, taken.set(token, Math.max(now + ttlMs, taken.get(token) ?? 0)))
    return true
  }

  leave(id: string, token: string): void {
    const taken = this.places.get(id)
    if (taken?.delete(token) && taken.size === 0) this.places.delete(id)
  }

  seen(process: string, withinMs: number): number {
    const now = this.clock.mono()
    this.processes.set(process, now)
    for (const [other, at] of this.processes) if (at < now - withinMs) this.processes.delete(other)
    return this.processes.size
  }

  listen(listener: NewsListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  tellOf(counters: readonly Pick<Counter, 'id'>[]): void {
    for (const { id } of counters) this.tell({ type: 'counter', id })
  }

  tell(news: News): void {
    for (const listener of this.listeners) listener.news(news)
  }
}

interface HitWindow {
  readonly hits: number
  readonly ends: number
  readonly opens: number
}

function whole(ms: number): number {
  return Math.ceil(ms)
}
