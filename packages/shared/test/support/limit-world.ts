import { MemoryHub } from '../../src/kernel/memory-hub.js'
import type { RateLimiterOptions } from '../../src/rate-limit/options.js'
import { RateLimiterService } from '../../src/rate-limit/rate-limiter.js'
import { MemoryRateLimitStore } from '../../src/rate-limit/stores/memory.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { FaultyLimitStore } from './limit-faults.js'
import { SeededRandom } from './seeded-random.js'

/** A process of a {@link LimitWorld}. */
export interface LimitProcess {
  readonly limiter: RateLimiterService
  readonly store: FaultyLimitStore
  readonly warnings: string[]
}

/** Processes that limit together on one memory store, and the time of all of them. */
export class LimitWorld {
  readonly clock = new MemoryClock()
  readonly hub = new MemoryHub({ clock: this.clock })
  private made = 0

  process(options?: RateLimiterOptions): LimitProcess {
    const warnings: string[] = []
    const store = new FaultyLimitStore(new MemoryRateLimitStore(this.hub, 'vextrus:'), this.clock)
    const surroundings = {
      clock: this.clock,
      random: new WorldRandom(this.made++),
      warn: (message: string) => void warnings.push(message),
    }
    return { limiter: new RateLimiterService(() => store, options, surroundings), store, warnings }
  }

  /** One that hears the others, as each does a moment after its first call. */
  async listening(options?: RateLimiterOptions): Promise<LimitProcess> {
    const process = this.process(options)
    await process.limiter.consume([], {})
    await this.clock.settle()
    process.store.calls.length = 0
    return process
  }
}

/** Where all is memory, what is under way is promises. */
export class MemoryClock extends FakeClock {
  override settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }
}

/** Tokens that no other process of the world has. */
class WorldRandom extends SeededRandom {
  constructor(private readonly of: number) {
    super(of)
  }

  override token(): string {
    return `${this.of}-${super.token()}`
  }
}
