import {
  type RateLimiterOptions,
  RateLimiterService,
  type RateLimiterSurroundings,
  type RateLimitStore,
  RateLimitUnavailableError,
} from '../rate-limit/index.js'
import { resolveRateLimiterOptions } from '../rate-limit/options.js'
import { MemoryRateLimitStore } from '../rate-limit/stores/memory.js'
import { type Home, Lodging, type LodgingPlace } from './capability-home.js'

/** The rate limits of one `forRoot`: its service. */
export class LimitRuntime extends Lodging<RateLimitStore> {
  readonly capability = 'rateLimit'
  private readonly timeoutMs: number
  private made: RateLimiterService | undefined

  /** Opens nothing. @throws ConfigurationError, InvalidDurationError */
  constructor(
    place: LodgingPlace,
    private readonly options: RateLimiterOptions,
    private readonly surroundings: RateLimiterSurroundings,
  ) {
    super(place)
    this.timeoutMs = resolveRateLimiterOptions(options).timeoutMs
  }

  /** What Nest injects; not asked for where a test has put something in its place. */
  get service(): RateLimiterService {
    this.provide(RateLimiterService)
    this.made ??= new RateLimiterService(() => this.store, this.options, this.surroundings)
    return this.made
  }

  protected storeAt({ redis, hub, keyPrefix }: Home): RateLimitStore {
    return redis?.limits(this.timeoutMs) ?? new MemoryRateLimitStore(hub(), keyPrefix)
  }

  /** Decisions are then made without a store, each rule by its `onUnavailable`. */
  protected failing(where: string): RateLimitStore {
    const fail = async (): Promise<never> => {
      throw new RateLimitUnavailableError(`rate limits live ${where}; ask for them later`, { unsent: true })
    }
    return {
      ...{ take: fail, peek: fail, refund: fail, reset: fail, hit: fail },
      ...{ enter: fail, leave: fail, seen: fail, announce: fail, listen: fail },
    }
  }

  protected async close(): Promise<void> {
    await this.made?.close()
  }
}
