import type { Clock, Timer } from '../kernel/clock.js'
import { RateLimitUnavailableError } from './errors.js'
import type { RateLimitStore } from './rate-limit-store.js'

/** How many processes limit: those that were seen in the last minute. While the store is away, those that were seen last. */
export class Instances {
  private known = 1
  private timer: Timer | undefined
  private started = false
  /** Short at first: processes that start together would else count each other late. */
  private pauseMs = 1_000

  /** @param process its name, the same for as long as it lives */
  constructor(
    private readonly store: () => RateLimitStore,
    private readonly process: string,
    private readonly clock: Clock,
  ) {}

  get count(): number {
    return this.known
  }

  /** Says that this process is there, from now on and again and again. */
  start(): void {
    if (this.started) return
    this.started = true
    void this.say()
  }

  stop(): void {
    this.started = false
    this.timer?.cancel()
  }

  private async say(): Promise<void> {
    try {
      this.known = await this.store().seen(this.process, MINUTE_MS)
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
    }
    if (!this.started) return
    this.timer = this.clock.timer(this.pauseMs, () => void this.say())
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS)
  }
}

const MINUTE_MS = 60_000
const LONGEST_PAUSE_MS = 20_000
