import { Backoff } from '../kernel/backoff.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import type { Master } from './servers.js'
import { Subscriber, type SubscriberOptions } from './subscriber.js'
import type { Subscription, SubscriptionHandler } from './subscription.js'
import type { Shard } from './topology.js'

/** The masters of a Cluster, as a connection knows them. */
export interface ShardedTopology {
  readonly id: string
  shardOf(key: string): Shard | undefined
  masters(): readonly Master[]
  /** Calls back when slots are elsewhere. Answers the way to stop. */
  onMoved(listener: (reason: string) => void): () => void
  /** Has the map of the slots read; what it answers does not matter. */
  layout(): Promise<unknown>
}

/**
 * Subscriptions to sharded channels of a Cluster (SSUBSCRIBE): a message goes to the master of the channel's slot alone, instead of to every node.
 * One {@link Subscriber} a master; a channel whose slot moves goes with it, and its handlers are told of the gap.
 */
export class ShardedSubscriber {
  private readonly subscribers = new Map<Master, Subscriber>()
  private readonly channels = new Set<Channel>()
  private readonly stopWatching: () => void
  private closed = false

  constructor(
    private readonly topology: ShardedTopology,
    private readonly options: Omit<SubscriberOptions, 'port'>,
  ) {
    this.stopWatching = topology.onMoved(() => this.rehome())
  }

  /** As {@link Subscriber.subscribe}. @throws RedisUnavailableError, RedisReplyError */
  async subscribe(name: string, handler: SubscriptionHandler): Promise<Subscription> {
    const channel: Channel = {
      name,
      handler,
      home: undefined,
      subscription: undefined,
      moving: undefined,
      ended: false,
    }
    await this.settle(channel)
    if (!this.closed) this.channels.add(channel)
    // The slot may have moved on since it was confirmed, before the channel was among those that are watched.
    if (!this.closed && this.masterOf(name) !== channel.home) this.move(channel)
    const unsubscribe = async (): Promise<void> => {
      channel.ended = true
      this.channels.delete(channel)
      await channel.subscription?.unsubscribe()
    }
    return { unsubscribe, [Symbol.asyncDispose]: unsubscribe }
  }

  close(): void {
    this.closed = true
    this.stopWatching()
    for (const channel of this.channels) channel.ended = true
    this.channels.clear()
    for (const subscriber of this.subscribers.values()) subscriber.close()
    this.subscribers.clear()
  }

  private rehome(): void {
    for (const channel of this.channels) if (this.masterOf(channel.name) !== channel.home) this.move(channel)
    // A master that left takes its connection along.
    const masters = new Set(this.topology.masters())
    for (const [master, subscriber] of this.subscribers) {
      if (masters.has(master)) continue
      subscriber.close()
      this.subscribers.delete(master)
    }
  }

  /** One move of a channel at a time; it ends where the slot is in the end. */
  private move(channel: Channel): void {
    channel.moving ??= this.follow(channel).finally(() => {
      channel.moving = undefined
      // It moved on while the channel was on its way.
      if (!channel.ended && this.masterOf(channel.name) !== channel.home) this.move(channel)
    })
  }

  private async follow(channel: Channel): Promise<void> {
    const { clock, random } = this.options
    const since = clock.mono()
    const pauses = new Backoff(PAUSES, random)
    void channel.handler.lost?.()
    await channel.subscription?.unsubscribe()
    channel.subscription = undefined
    while (!channel.ended) {
      try {
        await this.settle(channel)
        if (channel.ended) await (channel.subscription as Subscription | undefined)?.unsubscribe()
        else await channel.handler.gap?.(since)
        return
      } catch (error) {
        if (!(error instanceof RedisReplyError || error instanceof RedisUnavailableError)) {
          this.options.onError(error, { sharded: channel.name })
          return
        }
        await new Promise<void>((resolve) => clock.timer(pauses.next(), resolve))
      }
    }
  }

  /** Subscribes at the master of the slot; once more where the map was old. */
  private async settle(channel: Channel): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.closed) throw this.unavailable('closed')
        const home = this.masterOf(channel.name)
        if (home === undefined) {
          await this.topology.layout()
          if (this.masterOf(channel.name) === undefined)
            throw this.unavailable('no master of the Cluster serves the channel')
          continue
        }
        channel.subscription = await this.subscriberOf(home).subscribe(
          { sharded: channel.name },
          this.handlerOf(channel),
        )
        channel.home = home
        return
      } catch (error) {
        if (attempt === ATTEMPTS || !isMoved(error)) throw error
        await this.topology.layout()
      }
    }
  }

  /** Where the server says that the slot has moved before the map does, the channel goes at once. */
  private handlerOf(channel: Channel): SubscriptionHandler {
    const { handler } = channel
    return {
      message: (payload, name) => handler.message(payload, name),
      lost: () => handler.lost?.(),
      gap: (since) => handler.gap?.(since),
      refused: (error) => {
        if (!isMoved(error)) return
        void this.topology.layout()
        this.move(channel)
      },
    }
  }

  private masterOf(name: string): Master | undefined {
    const shard = this.topology.shardOf(name)
    return shard && this.topology.masters().find((master) => master.shard === shard)
  }

  private subscriberOf(master: Master): Subscriber {
    let subscriber = this.subscribers.get(master)
    if (subscriber === undefined) {
      subscriber = new Subscriber({ ...this.options, port: master.port })
      this.subscribers.set(master, subscriber)
    }
    return subscriber
  }

  private unavailable(why: string): RedisUnavailableError {
    return new RedisUnavailableError(this.topology.id, 'not-connected', { cause: new Error(why) })
  }
}

const ATTEMPTS = 3
const PAUSES = { baseMs: 50, capMs: 1_000 }

interface Channel {
  readonly name: string
  readonly handler: SubscriptionHandler
  home: Master | undefined
  subscription: Subscription | undefined
  moving: Promise<void> | undefined
  ended: boolean
}

function isMoved(error: unknown): boolean {
  return error instanceof RedisReplyError && error.reply === 'MOVED'
}
