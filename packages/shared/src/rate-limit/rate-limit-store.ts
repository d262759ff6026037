/**
 * The port: what the limiter needs from storage. A store keeps counters, and changes those of one demand together or not at all; time is the
 * store's own, so processes whose clocks differ count alike. Each method is one atomic step in the store.
 *
 * What it leaves out is names of users and tenants, what happens while the store is away, and what a process remembers of refusals: they are
 * the engine's.
 */
export interface RateLimitStore {
  /**
   * Takes from all counters of a demand, or from none: from each at least its `cost` and at most its `most`. A refusal writes nothing.
   * @throws RateLimitUnavailableError no good answer in time; what was asked for may have been taken unless the error is `unsent`
   */
  take(demand: Demand): Promise<readonly CounterReply[]>
  /** What {@link take} would answer now. Writes nothing. @throws RateLimitUnavailableError */
  peek(demand: Demand): Promise<readonly CounterReply[]>
  /** Gives back what was taken, never more than is used; all processes are told. @throws RateLimitUnavailableError */
  refund(demand: Demand): Promise<void>
  /** Counters, those that `hit` counts too, as if never used; all processes are told. @throws RateLimitUnavailableError */
  reset(counters: readonly Pick<Counter, 'id'>[]): Promise<void>
  /** Counts on, whatever the limit is, and says where the count stands. @throws RateLimitUnavailableError */
  hit(request: HitRequest): Promise<HitReply>
  /**
   * A place among those that run at the same time, for `ttlMs` at most. The same token asks as often as it likes and has one place; it then has
   * it for longer. False: all are taken. @throws RateLimitUnavailableError
   */
  enter(place: Place, limit: number, ttlMs: number): Promise<boolean>
  /** Gives the place back. @throws RateLimitUnavailableError */
  leave(place: Place): Promise<void>
  /** Says that a process is there, and answers how many were in the last `withinMs`. @throws RateLimitUnavailableError */
  seen(process: string, withinMs: number): Promise<number>
  /** Tells every process that listens, this one too. @throws RateLimitUnavailableError */
  announce(news: News): Promise<void>
  /**
   * Tells of refunds, resets and announcements of every process. Resolves once all from now on will come.
   * @throws RateLimitUnavailableError it can't be told now
   */
  listen(listener: NewsListener): Promise<() => void>
}

/** How a limit counts. */
export type RateLimitAlgorithm = 'token-bucket' | 'sliding-window' | 'fixed-window'

/** What a counter counts by. Numbers are chosen so that every product of two of them is exact in a double. */
export interface CounterSpec {
  readonly algorithm: RateLimitAlgorithm
  /** Units a window; of a token bucket those that come back in one. A whole number, 0 to 100,000,000. */
  readonly limit: number
  /** What a full token bucket holds; of the others the limit. 0 when the limit is 0. */
  readonly burst: number
  /** The window, in ticks. */
  readonly window: number
  /** A tick, µs: 1 with windows up to a minute, 1,000 up to a day, else 1,000,000. */
  readonly tickUs: number
}

/** One counter: of one rule for one user, tenant, address … */
export interface Counter {
  /** Begins with its home in braces. */
  readonly id: string
  /** All counters of one demand have the same home; on a Cluster it is their slot. */
  readonly home: string
  readonly spec: CounterSpec
}

/** What is taken, or given back, together. Not empty, no counter twice. */
export type Demand = readonly Ask[]

/** A part of a {@link Demand}. */
export interface Ask extends Counter {
  /** Units, a whole number of at least 1. */
  readonly cost: number
  /** Takes so many if they are there. At least `cost`. */
  readonly most: number
}

/** How one counter stands, after what was taken. */
export interface CounterReply {
  /** What this counter gave, or would have given had the others not refused; 0: it refuses. */
  readonly granted: number
  /** Units that may be taken now. */
  readonly remaining: number
  /** It refuses: after so many µs it would not, if nobody takes from it; the whole window when the cost can never be had. Else 0. */
  readonly retryUs: number
  /** After so many µs it is as if never used. */
  readonly resetUs: number
}

/** A fixed window that counts on beyond its limit, and may then be closed for a time: what adapters of other libraries need. */
export interface HitRequest {
  readonly id: string
  /** Added to the count; -1 takes one back, 0 only looks. */
  readonly by: number
  readonly windowMs: number
  /** Beyond it the counter is closed for `blockMs`; absent: never. */
  readonly limit?: number | undefined
  /** @default 0 */
  readonly blockMs?: number | undefined
}

/** How a counter of {@link HitRequest} stands after it. */
export interface HitReply {
  readonly hits: number
  /** The window ends then. 0: nothing was counted. */
  readonly resetMs: number
  /** Closed for so long yet; 0: open. Hits on a closed counter are not counted. */
  readonly blockedMs: number
}

/** A place among those that run at the same time. */
export interface Place {
  readonly id: string
  readonly token: string
}

/** What processes tell each other. */
export type News =
  /** The counter of this id has more than it had. */
  | { readonly type: 'counter'; readonly id: string }
  /** The plan of this tenant is another. */
  | { readonly type: 'plan'; readonly tenant: string }

/** What a process is told of counters and plans that others have changed. */
export interface NewsListener {
  news(news: News): void
  /** News may have been missed, or may be missed from now on until `heard` is called. */
  deaf(): void
  /** All news from now on will come. */
  heard(): void
}
