import { Backoff } from '../kernel/backoff.js'
import type { Clock } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'
import { Delivery } from './delivery.js'
import { PubSubUnavailableError } from './errors.js'
import type { Incoming, SubscriptionEvents } from './live-subscription.js'
import { compareIds, type LogPlace, type PubSubListener, type PubSubStore } from './pubsub-store.js'

/**
 * Every message of a log after an id, once and in order, whatever happens to connections.
 *
 * It is in one of two states. *Live*: messages are handed on as they come, each of which names the one before it. *Catching up*: the log is read, and what comes live meanwhile is only noted, because it is in the log too. It is live
 * again after a read that found nothing, if nothing was noted since that read was sent. It catches up at its beginning, after a lost connection,
 * when a message names another one before it than the last (on a Cluster, one may overtake another that came by way of another node), and when the handler is too slow for what comes: the log waits, so nothing has to be dropped.
 */
export class ReplaySubscription implements PubSubListener {
  private readonly delivery: Delivery<Incoming>
  private readonly retries: Backoff
  private readonly clock: Clock
  private live = false
  /** Something may be in the log that was not read yet. */
  private noted = false
  private catching: Promise<void> | undefined
  /** After which id a gap was told: it is told once. */
  private gapAfter: string | undefined
  private ended = false

  /** @param after the id of the last message that is not wanted */
  constructor(
    private readonly channel: string,
    private after: string,
    maxQueued: number,
    private readonly store: PubSubStore,
    { clock, random }: { readonly clock: Clock; readonly random: RandomSource },
    handle: (message: Incoming) => void | Promise<void>,
    private readonly on: SubscriptionEvents,
  ) {
    this.clock = clock
    this.retries = new Backoff(RETRY, random)
    this.delivery = new Delivery(maxQueued, handle, (error) => on.failed(error))
  }

  /** Once it is told of messages. */
  start(): void {
    void this.catchUp()
  }

  message(channel: string, body: string, place: LogPlace | null): void {
    if (place === null || compareIds(place.id, this.after) <= 0) return
    if (!this.live) {
      this.noted = true
      return
    }
    if (place.previous !== this.after || this.delivery.room <= 0) {
      void this.catchUp()
      return
    }
    this.after = place.id
    this.delivery.add({ channel, body, id: place.id })
  }

  lost(): void {
    this.live = false
  }

  heard(): void {
    void this.catchUp()
  }

  async end(): Promise<void> {
    this.ended = true
    await this.delivery.end()
  }

  /** One at a time; whoever asks meanwhile has it read once more. */
  private catchUp(): Promise<void> {
    this.live = false
    this.noted = true
    this.catching ??= this.readOn().finally(() => (this.catching = undefined))
    return this.catching
  }

  private async readOn(): Promise<void> {
    while (!this.ended && this.noted) {
      this.noted = false
      for (let found = await this.readPart(); found && !this.ended; found = await this.readPart());
    }
    // In the same step as the look at what was noted: nothing can come between.
    this.live = !this.ended
  }

  /** False: there is nothing more. */
  private async readPart(): Promise<boolean> {
    while (this.delivery.room <= 0 && !this.ended) await this.delivery.idle
    if (this.ended) return false
    try {
      const { after } = this
      const { messages, gap } = await this.store.read(this.channel, after, Math.min(PART, this.delivery.room))
      this.retries.reset()
      if (gap && this.gapAfter !== after) {
        this.gapAfter = after
        this.on.missed('trimmed')
      }
      for (const { id, body } of messages) {
        this.after = id
        this.delivery.add({ channel: this.channel, body, id })
      }
      return messages.length > 0
    } catch (error) {
      if (!(error instanceof PubSubUnavailableError)) throw error
      await new Promise<void>((resolve) => this.clock.timer(this.retries.next(), resolve))
      return true
    }
  }
}

/** Messages of one read of the log. */
const PART = 100
const RETRY = { baseMs: 50, capMs: 2_000 }
