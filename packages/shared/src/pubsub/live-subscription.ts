import { Delivery } from './delivery.js'
import type { MissedReason } from './public-types.js'
import type { LogPlace, PubSubListener } from './pubsub-store.js'

/** What a subscription leads to. */
export interface SubscriptionCalls<Message> {
  handle(message: Message): void | Promise<void>
  missed(reason: MissedReason): void | Promise<void>
  failed(error: unknown): void
  dropped(count: number): void
}

/** A message as it came. */
export interface Incoming {
  readonly channel: string
  readonly body: string
  readonly id: string | null
}

/** Messages as they come. A handler that is too slow misses the oldest of those that wait; what comes during a lost connection is missed. */
export class LiveSubscription implements PubSubListener {
  private readonly delivery: Delivery<Incoming>

  constructor(
    maxQueued: number,
    private readonly on: SubscriptionCalls<Incoming>,
  ) {
    this.delivery = new Delivery(maxQueued, on)
  }

  async start(): Promise<void> {}

  message(channel: string, body: string, place: LogPlace | null): void {
    if (this.delivery.room <= 0) {
      this.delivery.dropOldest()
      this.on.dropped(1)
    }
    this.delivery.add({ channel, body, id: place?.id ?? null })
  }

  lost(): void {}

  heard(): void {
    this.delivery.mark('connection')
  }

  end(): Promise<void> {
    return this.delivery.end()
  }
}
