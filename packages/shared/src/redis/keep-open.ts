import type { Backoff } from '../kernel/backoff.js'
import type { Clock, Timer } from '../kernel/clock.js'

/**
 * Keeps one link open: opens it, and when it is lost opens the next one, with backoff. Links are one-shot – nothing of a lost one lives on in
 * its successor, which is what makes the epochs of tracking and the gaps of subscriptions easy to name.
 */
export class KeepOpen<Link extends { close(): void }> {
  private link: Link | undefined
  private wanted = false
  private opening = false
  private openedAt = 0
  private timer: Timer | undefined

  constructor(
    private readonly clock: Clock,
    private readonly backoff: Backoff,
    private readonly on: KeepOpenEvents<Link>,
  ) {}

  /** The link that is open now. */
  get current(): Link | undefined {
    return this.link
  }

  /** Opens a link unless there is one. */
  start(): void {
    this.wanted = true
    if (this.timer === undefined) void this.attempt()
  }

  /** Does not wait any longer before the next attempt. */
  hurry(): void {
    this.timer?.cancel()
    this.timer = undefined
    if (this.wanted) void this.attempt()
  }

  /** Gives up this link, closed or not; false if it was given up before. Another one is opened after a wait. */
  drop(link: Link): boolean {
    if (this.link !== link) return false
    this.link = undefined
    link.close()
    // A server that takes connections and drops them at once must not be asked again at once.
    if (this.clock.mono() - this.openedAt >= PROVEN_MS) this.backoff.reset()
    this.retry(undefined)
    return true
  }

  /** Closes the link and opens no other. */
  stop(): void {
    this.wanted = false
    this.timer?.cancel()
    this.timer = undefined
    const { link } = this
    this.link = undefined
    link?.close()
  }

  private async attempt(): Promise<void> {
    if (this.opening || this.link !== undefined) return
    this.opening = true
    let link: Link
    try {
      link = await this.on.open()
    } catch (cause) {
      this.opening = false
      if (this.wanted) this.retry(this.on.failed(cause))
      return
    }
    this.opening = false
    if (!this.wanted) return link.close()
    this.link = link
    this.openedAt = this.clock.mono()
    this.on.opened(link)
  }

  private retry(afterMs: number | undefined): void {
    this.timer = this.clock.timer(afterMs ?? this.backoff.next(), () => {
      this.timer = undefined
      void this.attempt()
    })
  }
}

/** A link that lived this long was a good one: the first wait after it is a short one again. */
const PROVEN_MS = 5_000

export interface KeepOpenEvents<Link> {
  /** One attempt. Must settle by itself: it is not given a deadline. */
  open(): Promise<Link>
  opened(link: Link): void
  /** An attempt failed. May answer how many ms to wait instead of the backoff's choice. */
  failed(cause: unknown): number | undefined
}
