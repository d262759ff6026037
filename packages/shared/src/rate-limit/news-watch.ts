import type { Clock } from '../kernel/clock.js'
import type { DenyCache } from './deny-cache.js'
import { RateLimitUnavailableError } from './errors.js'
import type { Plans } from './plans.js'
import type { News, NewsListener, RateLimitStore } from './rate-limit-store.js'

/** Listens to what other processes tell, so that what this one remembers is not older than it may be. */
export class NewsWatch {
  private readonly denials: DenyCache | undefined
  private readonly plans: Plans | undefined
  private started = false
  private end: (() => void) | undefined

  constructor(
    private readonly store: () => RateLimitStore,
    private readonly clock: Clock,
    { denials, plans }: { readonly denials: DenyCache | undefined; readonly plans: Plans | undefined },
  ) {
    this.denials = denials
    this.plans = plans
  }

  /** From now on; tries again for as long as it can't. Nothing when there is nothing to forget. */
  start(): void {
    if (this.started || (this.denials === undefined && this.plans === undefined)) return
    this.started = true
    void this.listen()
  }

  stop(): void {
    this.started = false
    this.end?.()
    this.end = undefined
    this.denials?.deaf()
  }

  private async listen(): Promise<void> {
    try {
      const end = await this.store().listen(this.listener)
      if (!this.started) return end()
      this.end = end
      this.listener.heard()
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
      if (this.started) this.clock.timer(RETRY_MS, () => void (this.started && this.listen()))
    }
  }

  private readonly listener: NewsListener = {
    news: (news: News) => {
      if (news.type === 'counter') this.denials?.forget(news.id)
      else {
        this.plans?.forget(news.tenant)
        this.denials?.forgetAll()
      }
    },
    deaf: () => this.denials?.deaf(),
    heard: () => {
      this.denials?.hears()
      this.plans?.expire()
    },
  }
}

/** Between two attempts to listen. */
const RETRY_MS = 1_000
