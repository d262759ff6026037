import type { ThrottlerStorage } from '@nestjs/throttler'
import type { OnUnavailable } from '../rate-limit/public-types.js'
import type { RateLimiterService } from '../rate-limit/rate-limiter.js'
import { onUnavailableOf } from '../rate-limit/rules.js'
import { wholeLimit } from './whole-limit.js'

/** What {@link RedisThrottlerStorage} takes beside its limiter. */
export interface RedisThrottlerStorageOptions {
  /**
   * What is done with a request while Redis gives no answer. `'local'`: this process counts by itself, each limit divided by the number of
   * instances. @default 'local'
   */
  readonly onUnavailable?: OnUnavailable | undefined
}

/** What the throttler is told of a hit: all times in whole seconds, rounded up. */
export type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>

/**
 * Storage for `@nestjs/throttler` 6.7, whose guards, decorators and headers stay as they are: limits hold across processes, and an outage of Redis
 * is no error of a request.
 *
 * It answers as the throttler's own storage in memory does, but for three things. Hits of a window are forgotten together, at its end, and not each
 * by itself. After a block a new window begins, and `X-RateLimit-Reset` tells its end; the throttler's own may tell that of an older one, although
 * the hit counts for longer. A limit of 0 refuses all; the throttler's own lets one pass after each block.
 *
 * @example
 * ```ts
 * ThrottlerModule.forRootAsync({
 *   inject: [RateLimiterService],
 *   useFactory: (limiter: RateLimiterService) => ({
 *     throttlers: [{ limit: 100, ttl: minutes(1) }],
 *     storage: new RedisThrottlerStorage(limiter),
 *   }),
 * })
 * ```
 */
export class RedisThrottlerStorage implements ThrottlerStorage {
  private readonly onUnavailable: OnUnavailable

  /** @throws ConfigurationError naming the option */
  constructor(
    private readonly limiter: Pick<RateLimiterService, 'hit'>,
    { onUnavailable }: RedisThrottlerStorageOptions = {},
  ) {
    this.onUnavailable = onUnavailableOf(onUnavailable)
  }

  /**
   * Counts a hit. Hits of a client that is blocked are not counted.
   * @param key the client, on a route: what the throttler's `generateKey` made @param ttl of the window, ms
   * @param blockDuration for how long a client is refused once it was beyond the limit, ms; 0: until the window ends
   * @throws InvalidDurationError, ConfigurationError `ttl`, `limit` or `blockDuration` is no number that can be used
   */
  async increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord> {
    const most = wholeLimit(limit)
    // A window of no length never holds more than the hit that is made.
    if (ttl <= 0 && most > 0) return { totalHits: 1, timeToExpire: 0, isBlocked: false, timeToBlockExpire: 0 }
    // One key may be that of several throttlers: `generateKey` may leave out the name.
    const { hits, resetMs, blockedMs } = await this.limiter.hit(`throttler:${throttlerName}:${key}`, {
      window: Math.max(1, ttl),
      limit: most,
      blockFor: blockDuration > 0 ? blockDuration : undefined,
      onUnavailable: this.onUnavailable,
    })
    const isBlocked = blockedMs > 0 || hits > most
    return {
      totalHits: Math.min(hits, most + 1),
      timeToExpire: seconds(resetMs),
      isBlocked,
      timeToBlockExpire: isBlocked ? seconds(blockedMs > 0 ? blockedMs : resetMs) : 0,
    }
  }
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}
