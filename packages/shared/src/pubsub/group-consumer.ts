import { Backoff } from '../kernel/backoff.js'
import type { Clock, Timer } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'
import { PubSubUnavailableError } from './errors.js'
import type { SubscriptionCalls } from './live-subscription.js'
import {
  type ClaimedMessage,
  FIRST_ID,
  type GroupMember,
  type LogPlace,
  type PubSubListener,
  type PubSubStore,
} from './pubsub-store.js'

/** What a {@link GroupConsumer} is made of. */
export interface GroupConsumerParts {
  readonly member: GroupMember
  /** Where the group begins, when nobody has consumed by it yet: after this id, or `'now'`. */
  readonly from: string
  readonly concurrency: number
  readonly idleMs: number
  readonly maxDeliveries: number
  readonly store: Pick<PubSubStore, 'claim' | 'keep' | 'done'>
  readonly clock: Clock
  readonly random: RandomSource
  readonly on: Omit<SubscriptionCalls<ClaimedMessage>, 'dropped'> & {
    /** Stores a message that failed too often elsewhere. @throws PubSubUnavailableError it stays where it is, and is tried again */
    putAside(message: ClaimedMessage): Promise<void>
  }
}

/**
 * One consumer of a group. It claims messages when it is told that there are some, and now and then those that another consumer left behind; a
 * message is done when its handler has settled well, and goes to whoever claims it next, `idleMs` later, when it has not. While a handler runs
 * its message is kept from the others. So each message is handled at least once, and twice when a process dies between the handling and the note
 * of it: handlers know repeated messages by `messageId` or `id`.
 */
export class GroupConsumer implements PubSubListener {
  private readonly underWay = new Map<string, Promise<void>>()
  private readonly retries: Backoff
  private readonly pauses = new Set<() => void>()
  private wanted = false
  /** The next claim looks also for what others left behind. */
  private behind = true
  private claims = false
  private claiming: Promise<void> | undefined
  private timer: Timer | undefined
  private ended = false

  constructor(private readonly parts: GroupConsumerParts) {
    this.retries = new Backoff(RETRY, parts.random)
  }

  /** Once it is told of messages. Resolves when the group is there: it gets every message from then on. @throws PubSubUnavailableError */
  async start(): Promise<void> {
    const { store, member, from } = this.parts
    await store.claim({ ...member, from, count: 0 })
    this.look()
    this.tickLater()
  }

  message(_channel: string, _body: string, place: LogPlace | null): void {
    if (place !== null) this.look()
  }

  lost(): void {}

  heard(): void {
    this.look()
  }

  /** Takes no more, and lets what is under way end. */
  async end(): Promise<void> {
    this.ended = true
    this.timer?.cancel()
    for (const over of this.pauses) over()
    await this.claiming
    await Promise.all(this.underWay.values())
  }

  private look(): void {
    this.wanted = true
    if (!this.claims) this.claiming = this.claim()
  }

  private async claim(): Promise<void> {
    this.claims = true
    try {
      // Without room, the next that ends looks again.
      while (this.wanted && !this.ended && this.room > 0) await this.claimSome()
    } finally {
      // In the same step: whoever looks from here on must not wait for a claim that is over.
      this.claims = false
    }
  }

  private get room(): number {
    return this.parts.concurrency - this.underWay.size
  }

  private async claimSome(): Promise<void> {
    const { store, member, idleMs, on } = this.parts
    const { behind } = this
    this.wanted = this.behind = false
    try {
      // A group that is gone went with its log: all that the next log has is new to it.
      const asked = { ...member, from: FIRST_ID, count: this.room, ...(behind ? { idleMs } : {}) }
      const { messages, missed, more } = await store.claim(asked)
      this.retries.reset()
      // They go to another consumer when their time is over.
      if (this.ended) return
      if (missed) this.tellMissed(on)
      for (const message of messages) this.begin(message)
      if (more) [this.wanted, this.behind] = [true, this.behind || behind]
    } catch (error) {
      if (!(error instanceof PubSubUnavailableError)) throw error
      ;[this.wanted, this.behind] = [true, this.behind || behind]
      await this.pause()
    }
  }

  private begin(message: ClaimedMessage): void {
    // One that was kept too late and claimed back is at work already.
    if (this.underWay.has(message.id)) return
    const work = this.work(message).finally(() => {
      this.underWay.delete(message.id)
      if (this.wanted) this.look()
    })
    this.underWay.set(message.id, work)
  }

  private async work(message: ClaimedMessage): Promise<void> {
    const { maxDeliveries, on } = this.parts
    const { id, deliveries } = message
    const settledWell = deliveries <= maxDeliveries && (await this.handled(message))
    if (!settledWell) {
      if (deliveries < maxDeliveries) return
      try {
        await on.putAside(message)
      } catch (error) {
        if (!(error instanceof PubSubUnavailableError)) throw error
        return
      }
    }
    await this.done(id)
  }

  private async handled(message: ClaimedMessage): Promise<boolean> {
    const { on } = this.parts
    try {
      await on.handle(message)
      return true
    } catch (error) {
      on.failed(error)
      return false
    }
  }

  /** Until it is noted: the message is kept meanwhile, so that no other handles it again. */
  private async done(id: string): Promise<void> {
    const { store, member } = this.parts
    for (;;) {
      try {
        return await store.done(member, [id])
      } catch (error) {
        if (!(error instanceof PubSubUnavailableError)) throw error
        if (this.ended) return
        await this.pause()
      }
    }
  }

  private tickLater(): void {
    const { clock, idleMs } = this.parts
    if (this.ended) return
    this.timer = clock.timer(idleMs / 3, () => {
      this.behind = true
      this.look()
      void this.keep()
      this.tickLater()
    })
  }

  private async keep(): Promise<void> {
    const { store, member } = this.parts
    if (this.underWay.size === 0) return
    try {
      await store.keep(member, [...this.underWay.keys()])
    } catch (error) {
      if (!(error instanceof PubSubUnavailableError)) throw error
    }
  }

  private tellMissed({ missed, failed }: GroupConsumerParts['on']): void {
    void Promise.resolve(missed('trimmed')).catch(failed)
  }

  /** Before the next attempt; the end ends it. */
  private async pause(): Promise<void> {
    if (this.ended) return
    await new Promise<void>((resolve) => {
      const over = (): void => {
        timer.cancel()
        this.pauses.delete(over)
        resolve()
      }
      const timer = this.parts.clock.timer(this.retries.next(), over)
      this.pauses.add(over)
    })
  }
}

const RETRY = { baseMs: 50, capMs: 2_000 }
