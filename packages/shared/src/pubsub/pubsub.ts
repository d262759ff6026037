import { Observable } from 'rxjs'
import { type Clock, systemClock } from '../kernel/clock.js'
import { ConfigurationError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { PubSubUnavailableError } from './errors.js'
import { HandlerScope } from './handler-scope.js'
import { writeMessage } from './message-text.js'
import { type PubSubOptions, type ResolvedPubSubOptions, resolvePubSubOptions } from './options.js'
import type {
  MessageHandler,
  MessageMeta,
  PublishOptions,
  Published,
  SubscribeOptions,
  Subscription,
} from './public-types.js'
import type { ListenTarget, PubSubStore } from './pubsub-store.js'
import { type Receiver, Receivers } from './receivers.js'

/** What messages take from their surroundings. */
export interface PubSubSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  /** Told of a handler that fails, once a subscription. */
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * Messages between processes: to all who listen now, and, when they are durable, to those who come later or were away.
 *
 * Handlers get one message after the other and disturb nobody: one that fails is reported and gets the next; one that is slow has
 * `pubsub.maxQueued` messages waiting at most.
 *
 * @example
 * ```ts
 * await messages.publish(`orders:${tenantId}`, { id: order.id, status: 'PAID' }, { durable: true })
 * const subscription = await messages.subscribe<OrderEvent>(`orders:${tenantId}`, (event, { id }) => send(event, id), { from: lastSeenId })
 * ```
 */
export class RedisPubSubService {
  private readonly options: ResolvedPubSubOptions
  private readonly receivers: Receivers
  private readonly open = new Set<Subscription>()
  private readonly streams = new Set<{ complete(): void }>()
  private closed = false

  /** @param store where the messages are; asked for at the first call @throws ConfigurationError, InvalidDurationError */
  constructor(
    private readonly store: () => PubSubStore,
    options: PubSubOptions = {},
    { clock = systemClock, random = systemRandom, warn = () => undefined }: PubSubSurroundings = {},
  ) {
    this.options = resolvePubSubOptions(options)
    this.receivers = new Receivers(store, this.options, { clock, random, warn })
  }

  /**
   * Tells all who listen to the channel now; with `durable` also keeps the message for those who listen later.
   * @param message what JSON holds, and Date, Map, Set, bigint, Buffer …
   * @throws PubSubUnavailableError; InvalidKeyError, SerializationError, MessageTooLargeError, ConfigurationError
   */
  async publish(channel: string, message: unknown, options: PublishOptions = {}): Promise<Published> {
    assertKey(channel, 'channel')
    const { durable = false, messageId } = options
    const { maxBytes, maxLength, keepMs } = this.options
    if (messageId !== undefined) {
      if (!durable) throw new ConfigurationError('messageId', 'is of durable messages alone; add durable: true')
      assertKey(messageId, 'messageId')
      if (messageId.length > 256) throw new ConfigurationError('messageId', 'has at most 256 characters')
    }
    const body = writeMessage(channel, message, messageId, maxBytes)
    if (durable) return this.store().append(channel, body, { maxLength, keepMs, messageId })
    await this.store().publish(channel, body)
    return { fresh: true }
  }

  /**
   * Calls the handler with each message of a channel, or of all channels that a pattern matches: `*` is any text, `?` one character, `[ab]` one of
   * these; `\` before one of them is the character itself. Resolves when every message from now on will come.
   * @throws PubSubUnavailableError; InvalidKeyError, ConfigurationError
   */
  async subscribe<T = unknown>(
    channelOrPattern: string,
    handler: MessageHandler<T>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    assertKey(channelOrPattern, 'channel')
    if (typeof handler !== 'function') throw new ConfigurationError('handler', 'must be a function')
    const target = targetOf(channelOrPattern)
    const scope = new HandlerScope()
    const receiver = await this.receivers.make(target, scope, handler as MessageHandler<unknown>, options)
    const stop = await this.listenWith(target, receiver)
    let ending: Promise<void> | undefined
    const end = (): Promise<void> => {
      this.open.delete(subscription)
      stop()
      return receiver.end()
    }
    const unsubscribe = async (): Promise<void> => {
      ending ??= end()
      // From the handler it would wait for itself.
      if (!scope.within) await ending
    }
    const subscription: Subscription = { target: channelOrPattern, unsubscribe, [Symbol.asyncDispose]: unsubscribe }
    this.open.add(subscription)
    return subscription
  }

  /**
   * The id of the last durable message of a channel: whoever subscribes with it as `from` hears all that come later, also when that is tomorrow.
   * `'0-0'` when none is kept.
   * @throws PubSubUnavailableError; InvalidKeyError
   */
  async lastId(channel: string): Promise<string> {
    assertKey(channel, 'channel')
    this.assertOpen()
    return this.store().last(channel)
  }

  /**
   * The messages as an Observable: each subscriber has a subscription of its own, until it unsubscribes. It errors when it can't subscribe.
   * @throws nothing; errors go to the subscriber
   */
  stream<T = unknown>(
    channelOrPattern: string,
    options: SubscribeOptions = {},
  ): Observable<{ readonly message: T; readonly meta: MessageMeta }> {
    return new Observable((subscriber) => {
      const subscription = this.subscribe<T>(
        channelOrPattern,
        (message, meta) => subscriber.next({ message, meta }),
        options,
      )
      this.streams.add(subscriber)
      subscription.catch((error: unknown) => (this.streams.has(subscriber) ? subscriber.error(error) : undefined))
      subscriber.add(() => this.streams.delete(subscriber))
      return () => void subscription.then((made) => made.unsubscribe()).catch(() => undefined)
    })
  }

  /** Ends all subscriptions; handlers that run get their time. The store belongs to whoever made it. */
  async close(): Promise<void> {
    this.closed = true
    for (const subscriber of this.streams) subscriber.complete()
    await Promise.all([...this.open].map((subscription) => subscription.unsubscribe()))
  }

  /** All or nothing: whoever is told it failed hears nothing. */
  private async listenWith(target: ListenTarget, receiver: Receiver): Promise<() => void> {
    let stop = (): void => undefined
    try {
      this.assertOpen()
      stop = await this.store().listen(target, receiver)
      await receiver.start()
      this.assertOpen()
      return stop
    } catch (error) {
      stop()
      await receiver.end()
      throw error
    }
  }

  private assertOpen(): void {
    if (this.closed)
      throw new PubSubUnavailableError('the messages are closed: their module is destroyed', { unsent: true })
  }
}

function targetOf(text: string): ListenTarget {
  return /[*?[\]\\]/.test(text) ? { pattern: text } : { channel: text }
}
