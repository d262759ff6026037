import type { Clock } from '../kernel/clock.js'
import { messageOf } from '../kernel/errors.js'
import type { RandomSource } from '../kernel/random.js'
import { Subscriber, type SubscriberOptions } from './subscriber.js'
import type { SubscriptionHandler } from './subscription.js'

/** What a {@link NewsSubscriber} is made of. */
export interface NewsSubscriberOptions {
  /** Where its connection is opened. */
  readonly door: SubscriberOptions['port']
  readonly clock: Clock
  readonly random: RandomSource
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  /** What is not heard and what follows from it: the first half of the warning; the failure is the second. */
  readonly unheard: string
  /** Told once an outage, from the first failure until the channel is heard again. */
  readonly warn: (message: string) => void
}

/** What the processes of a capability tell each other, on a connection of its own: each of them can do without, and warns once. */
export class NewsSubscriber {
  private readonly subscriber: Subscriber
  private warned = false

  constructor({ door, unheard, warn, ...options }: NewsSubscriberOptions) {
    this.subscriber = new Subscriber({
      ...options,
      port: door,
      connectTimeoutMs: 10_000,
      timeoutMs: 10_000,
      heartbeat: HEARTBEAT,
      onError: (error) => {
        if (this.warned) return
        this.warned = true
        warn(`${unheard}: ${messageOf(error)}`)
      },
    })
  }

  /**
   * Calls the handler with each message of the channel from now on, until what it answers is called.
   * @throws RedisUnavailableError, RedisReplyError as `Subscriber.subscribe`
   */
  async subscribe(channel: string, handler: SubscriptionHandler): Promise<() => void> {
    const subscription = await this.subscriber.subscribe(
      { channel },
      {
        ...handler,
        gap: (sinceMonoMs) => {
          this.warned = false
          return handler.gap?.(sinceMonoMs)
        },
      },
    )
    this.warned = false
    return () => void subscription.unsubscribe()
  }

  /** Ends all subscriptions and the connection. */
  close(): void {
    this.subscriber.close()
  }
}

/** How the connection is seen to be alive. */
const HEARTBEAT = { everyMs: 1_000, timeoutMs: 2_000 }
