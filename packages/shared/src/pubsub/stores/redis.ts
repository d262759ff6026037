import { type Clock, systemClock } from '../../kernel/clock.js'
import { ConfigurationError, messageOf } from '../../kernel/errors.js'
import { keySegment } from '../../kernel/key-part.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { RedisConnection } from '../../redis/connection.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, type RedisCommand, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import { ShardedSubscriber, type ShardedTopology } from '../../redis/sharded-subscriber.js'
import { Subscriber, type SubscriberOptions } from '../../redis/subscriber.js'
import type { Subscription, SubscriptionHandler } from '../../redis/subscription.js'
import type { RedisReply, Topology, UnitReplies } from '../../redis/topology.js'
import { UnitBatch } from '../../redis/unit-batch.js'
import { failureOf, isUnsent } from '../../redis/unit-failure.js'
import { PubSubUnavailableError } from '../errors.js'
import {
  type Appended,
  type AppendOptions,
  type Claimed,
  type ClaimRequest,
  FIRST_ID,
  type GroupMember,
  type ListenTarget,
  type LogPart,
  type LogPlace,
  type PubSubListener,
  type PubSubStore,
} from '../pubsub-store.js'

/** What a {@link RedisPubSubStore} takes beside its connection. */
export interface RedisPubSubStoreOptions {
  /** For how long a log is kept that a group of consumers begins before its first message, ms. */
  readonly keepMs: number
  /** Told, once an outage, why messages can't be heard. */
  readonly warn: (message: string) => void
  /** The Cluster, to use sharded channels on; undefined: every message goes to all nodes, and patterns can be listened to. */
  readonly sharded?: ShardedTopology | undefined
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
}

/** Calls that leave in one write. */
const MOST_IN_ONE = 100
/** How the connection of the messages is seen to be alive. */
const HEARTBEAT = { everyMs: 1_000, timeoutMs: 2_000 }

/** The port on Redis: classic pub/sub for those who listen, a stream for the log of a channel. */
export class RedisPubSubStore implements PubSubStore {
  private readonly calls: UnitBatch
  private readonly subscriber: Subscriber
  private readonly sharded: ShardedSubscriber | undefined
  private readonly keepMs: number
  private warned = false
  private lastRead: { readonly payload: Buffer; readonly message: Payload | undefined } | undefined

  /** @param door where the connection of the messages is opened */
  constructor(
    topology: Topology,
    door: RedisConnection['door'],
    private readonly keyspace: Keyspace,
    { keepMs, warn, sharded, clock = systemClock, random = systemRandom }: RedisPubSubStoreOptions,
  ) {
    this.calls = new UnitBatch(topology, MOST_IN_ONE)
    this.keepMs = keepMs
    const options: Omit<SubscriberOptions, 'port'> = {
      clock,
      random,
      name: 'vextrus-messages',
      connectTimeoutMs: 10_000,
      timeoutMs: 10_000,
      heartbeat: HEARTBEAT,
      onError: (error) => {
        if (!this.warned) warn(`messages are not heard: ${messageOf(error)}`)
        this.warned = true
      },
    }
    this.subscriber = new Subscriber({ ...options, port: door })
    this.sharded = sharded && new ShardedSubscriber(sharded, options)
  }

  async publish(channel: string, body: string): Promise<void> {
    // By way of the master of the log: so all messages of a channel come in the order in which they were sent.
    const [key] = this.keyspace.stream(channel, ['log'])
    const asked = command(this.sharded ? 'SPUBLISH' : 'PUBLISH', [this.channelOf(channel), `- - ${body}`])
    await this.run(channel, key!, asked)
  }

  async append(channel: string, body: string, { maxLength, keepMs, messageId }: AppendOptions): Promise<Appended> {
    const keys = this.keyspace.stream(channel, ['log'])
    // In the slot of the log, by the same tag. Its last part has no colon, so no two channels share one.
    if (messageId !== undefined) keys.push(`${this.keyspace.stream(channel, ['once'])[0]!}:${keySegment(messageId)}`)
    const args = [this.channelOf(channel), body, maxLength, keepMs, this.sharded ? 1 : 0]
    const reply = await this.run(channel, keys[0]!, scriptCommand(SCRIPTS.pubsubAppend, keys, args))
    const [id, fresh] = reply as [string, number]
    return { id, fresh: fresh === 1 }
  }

  async read(channel: string, after: string, count: number): Promise<LogPart> {
    const [key] = this.keyspace.stream(channel, ['log'])
    const reply = await this.run(channel, key!, scriptCommand(SCRIPTS.pubsubRead, [key!], [after, count]))
    const [gap, last, entries] = reply as [number, string, Entry[]]
    return { gap: gap === 1, last, messages: entries.map(([id, [, body]]) => ({ id, body })) }
  }

  async last(channel: string): Promise<string> {
    const [key] = this.keyspace.stream(channel, ['log'])
    const entries = (await this.run(channel, key!, command('XREVRANGE', [key!, '+', '-', 'COUNT', 1]))) as Entry[]
    return entries[0]?.[0] ?? FIRST_ID
  }

  async claim({ channel, group, consumer, count, idleMs, from }: ClaimRequest): Promise<Claimed> {
    const [key] = this.keyspace.stream(channel, ['log'])
    const args = [group, consumer, count, idleMs ?? '', from === 'now' ? '$' : from, this.keepMs]
    const reply = await this.run(channel, key!, scriptCommand(SCRIPTS.pubsubClaim, [key!], args))
    const [missed, more, messages] = reply as [number, number, [string, string, number][]]
    return {
      missed: missed === 1,
      more: more === 1,
      messages: messages.map(([id, body, deliveries]) => ({ id, body, deliveries })),
    }
  }

  async keep({ channel, group, consumer }: GroupMember, ids: readonly string[]): Promise<readonly string[]> {
    const [key] = this.keyspace.stream(channel, ['log'])
    const asked = scriptCommand(SCRIPTS.pubsubKeep, [key!], [group, consumer, ...ids])
    return (await this.run(channel, key!, asked)) as string[]
  }

  async done({ channel, group }: GroupMember, ids: readonly string[]): Promise<void> {
    const [key] = this.keyspace.stream(channel, ['log'])
    await this.run(channel, key!, command('XACK', [key!, group, ...ids]))
  }

  async listen(target: ListenTarget, listener: PubSubListener): Promise<() => void> {
    const handler: SubscriptionHandler = {
      message: (payload, redisChannel) => {
        const message = this.readPayload(payload)
        // What another program publishes there is no message.
        if (message === undefined) return
        const channel = 'channel' in target ? target.channel : redisChannel.slice(this.keyspace.channels.length)
        listener.message(channel, message.body, message.place)
      },
      lost: () => listener.lost(),
      gap: () => {
        this.warned = false
        listener.heard()
      },
    }
    try {
      const subscription = await this.subscribe(target, handler)
      return () => void subscription.unsubscribe()
    } catch (error) {
      if ('pattern' in target && error instanceof RedisReplyError && error.reply === 'NOPERM') {
        throw new PubSubUnavailableError(
          `the ACL of Redis refuses the pattern: the user's rule must hold '&${this.keyspace.channels}${target.pattern}', letter by letter`,
          { cause: error, key: target.pattern, unsent: true },
        )
      }
      throw unavailable(error)
    }
  }

  /** Ends the connection of the messages. */
  close(): void {
    this.subscriber.close()
    this.sharded?.close()
  }

  private subscribe(target: ListenTarget, handler: SubscriptionHandler): Promise<Subscription> {
    if ('pattern' in target) {
      if (this.sharded === undefined)
        return this.subscriber.subscribe({ pattern: this.keyspace.channels + target.pattern }, handler)
      throw new ConfigurationError(
        'pubsub.sharded',
        'has no patterns: a message goes to one master alone; subscribe to channels',
      )
    }
    const channel = this.channelOf(target.channel)
    return this.sharded?.subscribe(channel, handler) ?? this.subscriber.subscribe({ channel }, handler)
  }

  /** Once for all who listen to a channel: they are told one after the other of one payload. */
  private readPayload(payload: Buffer): Payload | undefined {
    if (this.lastRead?.payload === payload) return this.lastRead.message
    const text = payload.toString()
    const [head, id, previous] = PLACE.exec(text) ?? []
    const message =
      head === undefined
        ? undefined
        : { body: text.slice(head.length), place: id === '-' ? null : { id: id!, previous: previous! } }
    this.lastRead = { payload, message }
    return message
  }

  private channelOf(channel: string): string {
    return this.sharded === undefined ? this.keyspace.channels + channel : this.keyspace.shardedChannel(channel)
  }

  private async run(channel: string, key: string, asked: RedisCommand): Promise<RedisReply> {
    const outcome = await this.calls.send({ key, commands: [asked] })
    const failure = failureOf(outcome)
    if (failure !== undefined) throw unavailable(failure, channel)
    return (outcome as UnitReplies).replies[0]!
  }
}

/** Before a message: its id and that of the one before it; `-` for one that is in no log. */
const PLACE = /^(-|\d+-\d+) (-|\d+-\d+) /

interface Payload {
  readonly body: string
  readonly place: LogPlace | null
}

type Entry = [id: string, fields: [name: string, body: string]]

/** What the connection says of a call; anything else is a defect, and thrown as it is. */
function unavailable(error: unknown, key?: string): PubSubUnavailableError {
  if (!(error instanceof RedisUnavailableError || error instanceof RedisReplyError)) throw error
  return new PubSubUnavailableError(error.message, {
    cause: error,
    unsent: isUnsent(error),
    ...(key === undefined ? {} : { key }),
  })
}
