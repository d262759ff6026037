import { Backoff } from '../kernel/backoff.js'
import { type Clock, pause } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'
import { Delivery } from './delivery.js'
import { PubSubUnavailableError } from './errors.js'
import type { Incoming, SubscriptionCalls } from './live-subscription.js'
import { compareIds, FIRST_ID, type LogPlace, type PubSubListener, type PubSubStore } from './pubsub-store.js'

/** What a {@link ReplaySubscription} is made of. */
export interface ReplayParts {
  readonly channel: string
  /** The id of the last message that is not wanted; `'start'`: all that are kept are. */
  readonly after: string
  readonly maxQueued: number
  readonly store: Pick<PubSubStore, 'read'>
  readonly clock: Clock
  readonly random: RandomSource
  readonly on: SubscriptionCalls<Incoming>
}

/**
 * Every message of a log after an id, once and in order, whatever happens to connections.
 *
 * It is in one of two states. *Live*: messages are handed on as they come, each of which names the one before it. *Catching up*: the log is read,
 * and of what comes live meanwhile only the id is noted, because it is in the log too. It catches up at its beginning, after a lost connection,
 * when a message names another one before it than the last (a message was lost, or overtook another: on a Cluster they may come by way of two
 * nodes while a slot moves), and when the handler is too slow for what comes: the log waits, so nothing has to be dropped.
 *
 * It is live again after a read that came to the end of the log and has all that was noted since it was sent. That may be too early, and does no
 * harm: the next message would name one before it that is not the last.
 */
export class ReplaySubscription implements PubSubListener {
  private readonly delivery: Delivery<Incoming>
  private readonly retries: Backoff
  private after: string
  private live = false
  /** Of what came live since the last read was sent, the greatest id. */
  private noted: string = FIRST_ID
  /** The log is to be read to its end once more. */
  private again = false
  private catching = false
  /** After which id a gap was told: it is told once. */
  private gapAfter: string | undefined
  private ended = false

  constructor(private readonly parts: ReplayParts) {
    const { after, maxQueued, random, on } = parts
    this.after = after === 'start' ? FIRST_ID : after
    // Who wants what is kept does not miss what is not.
    if (after === 'start') this.gapAfter = FIRST_ID
    this.retries = new Backoff(RETRY, random)
    this.delivery = new Delivery(maxQueued, on)
  }

  /** Once it is told of messages. */
  async start(): Promise<void> {
    this.catchUp()
  }

  message(channel: string, body: string, place: LogPlace | null): void {
    if (place === null || compareIds(place.id, this.after) <= 0) return
    if (!this.live) {
      if (compareIds(place.id, this.noted) > 0) this.noted = place.id
      return
    }
    if (place.previous !== this.after || this.delivery.room <= 0) {
      this.catchUp()
      return
    }
    this.after = place.id
    this.delivery.add({ channel, body, id: place.id })
  }

  lost(): void {
    this.live = false
  }

  heard(): void {
    this.catchUp()
  }

  async end(): Promise<void> {
    this.ended = true
    await this.delivery.end()
  }

  /** One at a time; whoever asks meanwhile has the log read to its end once more. */
  private catchUp(): void {
    this.live = false
    this.again = true
    if (this.catching) return
    this.catching = true
    void this.readOn()
  }

  private async readOn(): Promise<void> {
    try {
      while (!this.ended && this.again) {
        this.again = false
        const more = await this.readPart()
        // In the same step as it becomes live: what is noted up to here is read.
        this.again ||= more || compareIds(this.noted, this.after) > 0
      }
      this.live = !this.ended
    } finally {
      // In the same step: whoever finds it live and asks for more must not wait for one that is over.
      this.catching = false
    }
  }

  /** Whether the log may have more. */
  private async readPart(): Promise<boolean> {
    while (this.delivery.room <= 0 && !this.ended) await this.delivery.idle
    if (this.ended) return false
    const { store, channel, clock } = this.parts
    const { after } = this
    const count = Math.min(PART, this.delivery.room)
    this.noted = FIRST_ID
    try {
      const { messages, gap, last } = await store.read(channel, after, count)
      this.retries.reset()
      if (this.ended) return false
      if (gap && this.gapAfter !== after) this.delivery.mark('trimmed')
      this.gapAfter = gap ? after : undefined
      for (const { id, body } of messages) {
        this.after = id
        this.delivery.add({ channel, body, id })
      }
      // The log has lost its end, as by a failover: what it gets now may have smaller ids than what was heard.
      if (messages.length === 0 && compareIds(last, after) < 0) this.after = this.gapAfter = last
      return messages.length === count
    } catch (error) {
      if (!(error instanceof PubSubUnavailableError)) throw error
      await pause(clock, this.retries.next())
      return true
    }
  }
}

/** Messages of one read of the log. */
const PART = 100
const RETRY = { baseMs: 50, capMs: 2_000 }
