import type { ClientRateLimitInfo, Options, Store } from 'express-rate-limit'
import { systemClock } from '../kernel/clock.js'
import { durationToMs } from '../kernel/duration.js'
import type { OnUnavailable } from '../rate-limit/public-types.js'
import type { RateLimiterService } from '../rate-limit/rate-limiter.js'
import { onUnavailableOf } from '../rate-limit/rules.js'
import { wholeLimit } from './whole-limit.js'

/** What {@link RedisRateLimitStore} takes beside its limiter. */
export interface RedisRateLimitStoreOptions {
  /**
   * Comes before the keys of this limiter. Limiters of one prefix and one `windowMs` share their counters, those of other processes as well: give
   * each its own. @default 'express-rate-limit:'
   */
  readonly prefix?: string | undefined
  /**
   * What is done with a request while Redis gives no answer. `'local'`: this process counts by itself, and each of its hits is as many as there
   * are instances. @default 'local'
   */
  readonly onUnavailable?: OnUnavailable | undefined
}

/**
 * Store for `express-rate-limit` 8: a limit holds across processes, and an outage of Redis is no error of a request. Each limiter needs a store of
 * its own, as with any store of that library.
 *
 * There is no `resetAll`, which may be left out: it would have to look through every key of every master, while others are being written.
 *
 * @example
 * ```ts
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: new RedisRateLimitStore(limiter, { prefix: 'api:' }) }))
 * ```
 */
export class RedisRateLimitStore implements Store {
  /** Counters are not this process's alone. */
  readonly localKeys = false
  /** Comes before the keys; with the window in it once the store belongs to a limiter. */
  prefix: string
  private readonly onUnavailable: OnUnavailable
  private readonly givenPrefix: string
  private windowMs = 60_000
  private limit: number | undefined

  /** @throws ConfigurationError naming the option */
  constructor(
    private readonly limiter: Pick<RateLimiterService, 'hit' | 'resetHits'>,
    { prefix = 'express-rate-limit:', onUnavailable }: RedisRateLimitStoreOptions = {},
  ) {
    this.givenPrefix = prefix
    this.prefix = prefix
    this.onUnavailable = onUnavailableOf(onUnavailable)
  }

  /** Called by the library, with the limiter's options. @throws InvalidDurationError */
  init({ windowMs, limit }: Pick<Options, 'windowMs' | 'limit'>): void {
    this.windowMs = durationToMs(windowMs, 'windowMs')
    // A counter has one window; limiters that share a prefix by mistake don't shorten each other's.
    this.prefix = `${this.givenPrefix}${this.windowMs}:`
    this.limit = typeof limit === 'number' ? wholeLimit(limit) : undefined
  }

  /** How a client stands; undefined: nothing is counted. */
  async get(key: string): Promise<ClientRateLimitInfo | undefined> {
    const info = await this.hit(key, 0)
    return info.totalHits === 0 ? undefined : info
  }

  /** Counts a hit; never rejects because Redis is away. */
  increment(key: string): Promise<ClientRateLimitInfo> {
    return this.hit(key, 1)
  }

  /** Takes a hit back, as of a request that shall not count; never below none. */
  async decrement(key: string): Promise<void> {
    await this.hit(key, -1)
  }

  /** Forgets a client. @throws RateLimitUnavailableError Redis gave no answer, and may not have done it */
  resetKey(key: string): Promise<void> {
    const reset = this.limiter.resetHits(this.prefix + key)
    // The limiter's `resetKey` is typed as one that answers nothing: who calls it without waiting doesn't end the process by it.
    reset.catch(() => undefined)
    return reset
  }

  private async hit(key: string, by: 1 | 0 | -1): Promise<ClientRateLimitInfo> {
    const { hits, resetMs, blockedMs } = await this.limiter.hit(this.prefix + key, {
      window: this.windowMs,
      limit: this.limit,
      by,
      onUnavailable: this.onUnavailable,
    })
    // Nothing is blocked here but by `onUnavailable: 'deny'`; the limit may be a function's, which the store doesn't know.
    const totalHits = blockedMs > 0 ? Number.MAX_SAFE_INTEGER : hits
    // The library subtracts the machine's clock from it.
    return { totalHits, resetTime: new Date(systemClock.wall() + resetMs) }
  }
}
