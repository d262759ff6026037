import { Backoff } from '../kernel/backoff.js'
import type { Clock, Timer } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'
import { PubSubUnavailableError } from './errors.js'
import type { ClaimedMessage, GroupMember, LogPlace, PubSubListener, PubSubStore } from './pubsub-store.js'

/** What a {@link GroupConsumer} is made of. */
export interface GroupConsumerParts {
  readonly member: GroupMember
  /** Where the group begins, when nobody has consumed by it yet. */
  readonly from: string
  readonly concurrency: number
  readonly idleMs: number
  readonly maxDeliveries: number
  readonly store: PubSubStore
  readonly clock: Clock
  readonly random: RandomSource
  readonly handle: (message: ClaimedMessage) => void | Promise<void>
  readonly on: {
    failed(error: unknown): void
    putAside(message: ClaimedMessage): void
  }
}

/**
 * One consumer of a group. It claims messages when it is told that there are some, and now and then for those that another consumer left behind;
 * a message is done when its handler has settled well, and goes to whoever claims it next, `idleMs` later, when it has not. While a handler runs
 * its message is kept from the others. So each message is handled at least once, and twice when a process dies between the handling and the note
 * of it: handlers know repeated messages by `messageId` or `id`.
 */
export class GroupConsumer implements PubSubListener {
  private readonly underWay = new Map<string, Promise<void>>()
  private readonly retries: Backoff
  private wanted = false
  private claiming: Promise<void> | undefined
  private readonly timers = new Set<Timer>()
  private ended = false

  constructor(private readonly parts: GroupConsumerParts) {
    this.retries = new Backoff(RETRY, parts.random)
  }

  /** Once it is told of messages. */
  start(): void {
    this.look()
    this.again(this.parts.idleMs, () => this.look())
    this.again(this.parts.idleMs / 3, () => void this.keep())
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
    for (const timer of this.timers) timer.cancel()
    await this.claiming
    await Promise.all(this.underWay.values())
  }

  private look(): void {
    this.wanted = true
    this.claiming ??= this.claim().finally(() => (this.claiming = undefined))
  }

  private async claim(): Promise<void> {
    const { store, member, from, concurrency, idleMs, clock } = this.parts
    while (this.wanted && !this.ended) {
      const count = concurrency - this.underWay.size
      if (count <= 0) return
      this.wanted = false
      try {
        const messages = await store.claim({ ...member, from, count, idleMs })
        this.retries.reset()
        for (const message of messages) this.begin(message)
        // There may be more than were asked for.
        if (messages.length === count) this.wanted = true
      } catch (error) {
        if (!(error instanceof PubSubUnavailableError)) throw error
        this.wanted = true
        await new Promise<void>((resolve) => clock.timer(this.retries.next(), resolve))
      }
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
    const { maxDeliveries, handle, on } = this.parts
    if (message.deliveries > maxDeliveries) {
      on.putAside(message)
    } else {
      try {
        await handle(message)
      } catch (error) {
        on.failed(error)
        return
      }
    }
    await this.done(message.id)
  }

  /** Not noted, it is handled once more. */
  private async done(id: string): Promise<void> {
    const { store, member } = this.parts
    try {
      await store.done(member, [id])
    } catch (error) {
      if (!(error instanceof PubSubUnavailableError)) throw error
    }
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

  private again(everyMs: number, what: () => void): void {
    const timer = this.parts.clock.timer(everyMs, () => {
      this.timers.delete(timer)
      if (this.ended) return
      what()
      this.again(everyMs, what)
    })
    this.timers.add(timer)
  }
}

const RETRY = { baseMs: 50, capMs: 2_000 }
