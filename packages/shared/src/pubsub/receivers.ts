import type { Clock } from '../kernel/clock.js'
import { ConfigurationError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'
import type { RandomSource } from '../kernel/random.js'
import { handlerFailed, messagePutAside, messagesDropped, messagesMissed } from './events.js'
import { GroupConsumer } from './group-consumer.js'
import type { HandlerScope } from './handler-scope.js'
import { type Incoming, LiveSubscription, type SubscriptionCalls } from './live-subscription.js'
import { readMessage } from './message-text.js'
import { count, type ResolvedPubSubOptions } from './options.js'
import type { MessageHandler, MissedReason, SubscribeOptions } from './public-types.js'
import {
  type ClaimedMessage,
  FIRST_ID,
  isLogId,
  type ListenTarget,
  type PubSubListener,
  type PubSubStore,
} from './pubsub-store.js'
import { putAsideChannel } from './put-aside.js'
import { ReplaySubscription } from './replay-subscription.js'

/** The receiving end of a subscription: told by the store, it calls the handler. */
export interface Receiver extends PubSubListener {
  /** Once it is told of messages. @throws PubSubUnavailableError it can't begin */
  start(): Promise<void>
  /** The handler is not called again. Resolves when a call under way has settled. */
  end(): Promise<void>
}

/** What {@link Receivers} take from their service. */
export interface ReceiverSurroundings {
  readonly clock: Clock
  readonly random: RandomSource
  readonly warn: (message: string) => void
}

/** Makes the receiver that the options of a subscription ask for: one that hears as it comes, one that replays, or a consumer of a group. */
export class Receivers {
  constructor(
    private readonly store: () => PubSubStore,
    private readonly options: ResolvedPubSubOptions,
    private readonly surroundings: ReceiverSurroundings,
  ) {}

  /** @throws PubSubUnavailableError; InvalidKeyError, ConfigurationError */
  async make(
    target: ListenTarget,
    scope: HandlerScope,
    handler: MessageHandler<unknown>,
    options: SubscribeOptions,
  ): Promise<Receiver> {
    const { from, group, consumer, concurrency = 1, maxQueued = this.options.maxQueued } = options
    const name = 'channel' in target ? target.channel : target.pattern
    const pattern = 'pattern' in target ? target.pattern : undefined
    const on = this.callsOf(name, options, scope, ({ channel, body, id, deliveries }) => {
      const { message, messageId } = readMessage(body)
      return handler(message, { channel, pattern, id: id ?? undefined, messageId, deliveries })
    })
    count(maxQueued, 'maxQueued')
    if (from === undefined && group === undefined) return new LiveSubscription(maxQueued, on)
    if (!('channel' in target)) {
      throw new ConfigurationError(group === undefined ? 'from' : 'group', 'is of one channel; a pattern has no log')
    }
    const { channel } = target
    if (from !== undefined && from !== 'now' && from !== 'start' && !isLogId(from)) {
      throw new ConfigurationError('from', "must be the id of a message, 'start' or 'now'")
    }
    const { clock, random } = this.surroundings
    const store = this.store()
    if (group === undefined) {
      const after = from === 'now' ? await store.last(channel) : from!
      return new ReplaySubscription({ channel, after, maxQueued, store, clock, random, on })
    }
    assertKey(group, 'group')
    assertKey(putAsideChannel(channel, group), 'the channel and the group together')
    if (consumer !== undefined) assertKey(consumer, 'consumer')
    return new GroupConsumer({
      member: { channel, group, consumer: consumer ?? random.token() },
      from: from === 'start' ? FIRST_ID : (from ?? 'now'),
      concurrency: count(concurrency, 'concurrency'),
      ...this.options,
      store,
      clock,
      random,
      on: {
        ...on,
        handle: ({ id, body, deliveries }) => on.handle({ channel, id, body, deliveries }),
        putAside: (message) => this.putAside(channel, group, message),
      },
    })
  }

  private async putAside(channel: string, group: string, { id, body, deliveries }: ClaimedMessage): Promise<void> {
    const { maxLength, keepMs } = this.options
    const to = putAsideChannel(channel, group)
    // By its id: once, also when the note that it is done is lost.
    await this.store().append(to, body, { maxLength, keepMs, messageId: id })
    messagePutAside.publish(() => ({ target: channel, id, deliveries, to }))
  }

  private callsOf(
    target: string,
    { onMissed }: SubscribeOptions,
    scope: HandlerScope,
    handle: (message: Handed) => void | Promise<void>,
  ): SubscriptionCalls<Handed> {
    let warned = false
    return {
      handle: (message) => scope.run(() => handle(message)),
      failed: (error) => {
        handlerFailed.publish(() => ({ target, error }))
        if (warned) return
        warned = true
        this.surroundings.warn(`a handler of '${target}' failed and gets the next message: ${String(error)}`)
      },
      dropped: (dropped) => messagesDropped.publish(() => ({ target, count: dropped })),
      missed: async (reason: MissedReason) => {
        messagesMissed.publish(() => ({ target, reason }))
        if (onMissed !== undefined) await scope.run(() => onMissed(reason))
      },
    }
  }
}

interface Handed extends Incoming {
  readonly deliveries?: number
}
