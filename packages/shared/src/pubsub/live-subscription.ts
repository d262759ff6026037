import { Delivery } from './delivery.js'
import type { LogPlace, PubSubListener } from './pubsub-store.js'

/** What subscriptions tell their surroundings of. */
export interface SubscriptionEvents {
  failed(error: unknown): void
  dropped(count: number): void
  missed(reason: 'connection' | 'trimmed'): void
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
    handle: (message: Incoming) => void | Promise<void>,
    private readonly on: SubscriptionEvents,
  ) {
    this.delivery = new Delivery(maxQueued, handle, (error) => on.failed(error))
  }

  message(channel: string, body: string, place: LogPlace | null): void {
    if (this.delivery.room <= 0) {
      this.delivery.dropOldest()
      this.on.dropped(1)
    }
    this.delivery.add({ channel, body, id: place?.id ?? null })
  }

  lost(): void {}

  heard(): void {
    this.on.missed('connection')
  }

  end(): Promise<void> {
    return this.delivery.end()
  }
}
