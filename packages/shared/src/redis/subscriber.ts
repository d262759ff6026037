import { Backoff } from '../kernel/backoff.js'
import type { Clock } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import type { RandomSource } from '../kernel/random.js'
import type { DedicatedConnection, RedisPort } from './client.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { Heartbeat, type HeartbeatOptions } from './heartbeat.js'
import { KeepOpen } from './keep-open.js'
import type { Subscription, SubscriptionHandler, SubscriptionTarget } from './subscription.js'

/**
 * All subscriptions of a process to one server, on one connection.
 *
 * - The connection is opened by the first subscription and closed with the last one.
 * - A channel with ten handlers is subscribed once.
 * - A lost connection is replaced and everything is subscribed again. What was published meanwhile is gone, and Redis keeps no count of it:
 *   so each handler is told since when it may have missed something, and looks for itself.
 * - A heartbeat finds the connection that is dead and doesn't know it.
 * - A handler that fails is reported, and disturbs neither the others nor the connection.
 */
export class Subscriber {
  private readonly topics = new Map<string, Topic>()
  private readonly links: KeepOpen<Link>
  private readonly retries: Backoff
  private lastFailure: Error | undefined
  private closed = false

  constructor(private readonly options: SubscriberOptions) {
    this.retries = new Backoff(RETRY, options.random)
    this.links = new KeepOpen<Link>(options.clock, new Backoff(RECONNECT, options.random), {
      open: () => this.open(),
      opened: (link) => this.opened(link),
      failed: (cause) => this.failed(cause),
    })
  }

  /**
   * Calls the handler with each message from now on. Resolves when the server has confirmed; a message may come a moment before that.
   * @throws RedisUnavailableError not confirmed within `timeoutMs`, or closed; the handler is then forgotten
   * @throws RedisReplyError the server refuses, such as NOPERM
   */
  async subscribe(target: SubscriptionTarget, handler: SubscriptionHandler): Promise<Subscription> {
    if (this.closed) throw this.unavailable()
    const topic = this.topicOf(target)
    const member: Member = { handler, active: topic.confirmed, settle: () => undefined }
    topic.members.add(member)
    try {
      if (!member.active) await this.confirmation(member)
    } catch (cause) {
      this.leave(topic, member)
      throw cause
    }
    const unsubscribe = async (): Promise<void> => this.leave(topic, member)
    return { unsubscribe, [Symbol.asyncDispose]: unsubscribe }
  }

  /** Ends all subscriptions; those that wait for their confirmation reject. */
  close(): void {
    this.closed = true
    const topics = [...this.topics.values()]
    this.topics.clear()
    this.links.stop()
    for (const topic of topics) {
      for (const member of topic.members) member.settle(this.unavailable())
      topic.members.clear()
    }
  }

  private topicOf(target: SubscriptionTarget): Topic {
    const key = 'pattern' in target ? keyOf('', target.pattern) : keyOf(nameOf(target), null)
    let topic = this.topics.get(key)
    if (topic === undefined) {
      topic = { key, target, members: new Set(), confirmed: false, heardUntil: 0, lostSince: undefined }
      this.topics.set(key, topic)
      const link = this.links.current
      if (link === undefined) this.links.start()
      else void this.establish(topic, link)
    }
    return topic
  }

  private confirmation(member: Member): Promise<void> {
    const settled = new Promise<void>((resolve, reject) => {
      member.settle = (failure) => (failure === undefined ? resolve() : reject(failure))
    })
    return withDeadline(settled, this.options.timeoutMs, this.options.clock, () => this.unavailable())
  }

  private leave(topic: Topic, member: Member): void {
    if (!topic.members.delete(member) || topic.members.size > 0) return
    this.topics.delete(topic.key)
    if (this.topics.size === 0) return this.links.stop()
    // Whatever the answer: a message for a topic that nobody is in is dropped.
    this.links.current?.connection.call(...commandOf(topic.target, 'UNSUBSCRIBE')).catch(() => undefined)
  }

  private async open(): Promise<Link> {
    const { port, clock, connectTimeoutMs, name } = this.options
    const connection = await port.dedicated({ name, connectTimeoutMs })
    const heartbeat = new Heartbeat(connection, clock, this.options.heartbeat, {
      pong: () => undefined,
      dead: () => this.lost(link),
    })
    const close = (): void => {
      heartbeat.stop()
      connection.close()
    }
    const link: Link = { connection, heartbeat, close }
    connection.onMessage((channel, payload, pattern) => this.message(channel, payload, pattern))
    connection.onClose(() => this.lost(link))
    return link
  }

  private opened(link: Link): void {
    this.lastFailure = undefined
    for (const topic of this.topics.values()) void this.establish(topic, link)
    link.heartbeat.start()
  }

  private failed(cause: unknown): undefined {
    this.lastFailure = cause instanceof Error ? cause : new Error(String(cause))
  }

  private async establish(topic: Topic, link: Link): Promise<void> {
    const sentAt = this.options.clock.mono()
    let failure: unknown
    try {
      await link.connection.call(...commandOf(topic.target, 'SUBSCRIBE'))
    } catch (cause) {
      failure = cause
    }
    if (this.links.current !== link) return
    if (failure === undefined) this.confirmed(topic, sentAt)
    else if (failure instanceof RedisReplyError) this.refused(topic, link, failure)
    else this.lost(link)
  }

  private confirmed(topic: Topic, sentAt: number): void {
    const { lostSince } = topic
    topic.confirmed = true
    topic.heardUntil = sentAt
    topic.lostSince = undefined
    this.retries.reset()
    for (const member of topic.members) {
      if (!member.active) {
        member.active = true
        member.settle()
      } else if (lostSince !== undefined) this.guard(topic, () => member.handler.gap?.(lostSince))
    }
  }

  /** Newcomers hear of it and are out; those who had been confirmed before the connection was lost are told, and it is tried again. */
  private refused(topic: Topic, link: Link, failure: RedisReplyError): void {
    for (const member of topic.members) {
      if (member.active) continue
      member.settle(failure)
      this.leave(topic, member)
    }
    if (topic.members.size === 0) return
    this.options.onError(failure, topic.target)
    for (const { handler } of topic.members) this.guard(topic, () => handler.refused?.(failure))
    this.options.clock.timer(this.retries.next(), () => {
      if (this.links.current === link && this.topics.get(topic.key) === topic) void this.establish(topic, link)
    })
  }

  private lost(link: Link): void {
    const { provenUntil } = link.heartbeat
    if (!this.links.drop(link)) return
    for (const topic of this.topics.values()) {
      if (!topic.confirmed) continue
      topic.lostSince = Math.max(topic.heardUntil, provenUntil)
      topic.confirmed = false
      for (const { handler } of topic.members) this.guard(topic, () => handler.lost?.())
    }
  }

  private message(channel: string, payload: Buffer | Buffer[] | null, pattern: string | null): void {
    const topic = this.topics.get(keyOf(channel, pattern))
    if (topic === undefined || !Buffer.isBuffer(payload)) return
    for (const { handler } of topic.members) this.guard(topic, () => handler.message(payload, channel))
  }

  /** Runs what is the subscriber's, now; its failure, also a later one, is reported. Must not cost a promise: each handler of each message comes here. */
  private guard(topic: Topic, call: () => unknown): void {
    try {
      const settling = call()
      // A handler that promises nothing may answer anything.
      if (settling instanceof Promise) settling.catch((error: unknown) => this.options.onError(error, topic.target))
    } catch (error) {
      this.options.onError(error, topic.target)
    }
  }

  private unavailable(): RedisUnavailableError {
    const { port, timeoutMs } = this.options
    if (this.closed) return new RedisUnavailableError(port.id, 'not-connected', { cause: new Error('closed') })
    if (this.links.current !== undefined) return new RedisUnavailableError(port.id, 'deadline', { timeoutMs })
    return new RedisUnavailableError(port.id, 'not-connected', { cause: this.lastFailure })
  }
}

export interface SubscriberOptions {
  readonly port: Pick<RedisPort, 'id' | 'dedicated'>
  readonly clock: Clock
  readonly random: RandomSource
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  /** Milliseconds until an attempt to open the connection is given up. */
  readonly connectTimeoutMs: number
  /** How long `subscribe` waits for its confirmation, ms. */
  readonly timeoutMs: number
  readonly heartbeat: HeartbeatOptions
  /** A handler failed, or a subscription could not be renewed after a reconnect; then it is tried again. Must not throw. */
  readonly onError: (error: unknown, target: SubscriptionTarget) => void
}

interface Topic {
  readonly key: string
  readonly target: SubscriptionTarget
  readonly members: Set<Member>
  /** Confirmed by the server on the connection that is open now. */
  confirmed: boolean
  /** When the SUBSCRIBE that was confirmed was sent: from then on there is a proof by heartbeat only. */
  heardUntil: number
  lostSince: number | undefined
}

interface Member {
  readonly handler: SubscriptionHandler
  /** Was confirmed once. */
  active: boolean
  settle: (failure?: Error) => void
}

interface Link {
  readonly connection: DedicatedConnection
  readonly heartbeat: Heartbeat
  close(): void
}

const RECONNECT = { baseMs: 50, capMs: 2_000 }
const RETRY = { baseMs: 100, capMs: 5_000 }

function keyOf(channel: string, pattern: string | null): string {
  return pattern === null ? `c:${channel}` : `p:${pattern}`
}

function commandOf(target: SubscriptionTarget, verb: 'SUBSCRIBE' | 'UNSUBSCRIBE'): [string, string[]] {
  if ('sharded' in target) return [`S${verb}`, [target.sharded]]
  return 'channel' in target ? [verb, [target.channel]] : [`P${verb}`, [target.pattern]]
}

function nameOf(target: Exclude<SubscriptionTarget, { readonly pattern: string }>): string {
  return 'sharded' in target ? target.sharded : target.channel
}
