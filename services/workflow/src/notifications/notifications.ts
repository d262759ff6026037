import type { ServerResponse } from 'node:http'
import { HttpException, Injectable, type OnModuleDestroy, ServiceUnavailableException } from '@nestjs/common'
import { Interval } from '@nestjs/schedule'
import { RedisPubSubService, type Subscription } from '@vextrus/shared/pubsub'
import { tenantChannel, userChannel } from './channels.js'
import { NotificationStream, type StreamEnd } from './notification-stream.js'
import { type StreamPlace, placeOf } from './stream-place.js'
import type { Notification } from './task-notifications.js'

/** Whose notifications a stream carries. */
export interface Listener {
  readonly tenantId: string
  readonly userId: string
}

/** What the streams of this process came to, since it began. */
export interface NotificationStatistics {
  readonly open: number
  /** Streams that ended, by reason. */
  readonly ended: Readonly<Record<StreamEnd, number>>
}

/** Tabs of a browser, and some devices. */
const MOST_OF_A_USER = 10
const MOST_STREAMS = 10_000
/**
 * What waits in this process' memory for one client, beside what the system's buffers hold: so much, a message of each log, and a few queued. The
 * system's buffers keep a fast line busy; this one is paid 10,000 times when all are slow.
 */
const MOST_WAITING_BYTES = 64 * 1_024
/** The rest waits in the log. */
const MOST_QUEUED = 16
/**
 * After one to two of them without reading, a client is slow. Shorter than the time after which a proxy takes a silent connection for a dead one:
 * the gateway's is 10 s, others' 30 s or a minute.
 */
const BEAT_MS = 5_000
/** Five minutes. Whoever is still signed in comes back through the gateway, and whoever has signed out does not. */
const MOST_BEATS = 60

/** The streams of notifications that this process holds open. */
@Injectable()
export class Notifications implements OnModuleDestroy {
  private readonly streams = new Set<NotificationStream>()
  private readonly perUser = new Map<string, number>()
  private readonly ended: Record<StreamEnd, number> = { client: 0, slow: 0, closed: 0, failed: 0 }
  private closing = false

  constructor(private readonly messages: RedisPubSubService) {}

  get statistics(): NotificationStatistics {
    return { open: this.streams.size, ended: { ...this.ended } }
  }

  /**
   * Answers with a stream of everything that is told to the user and to the tenant: from now on, or after the place that the client has reached.
   * @param lastEventId `Last-Event-ID`, of a client that was here before
   * @throws BadRequestException, HttpException 429, ServiceUnavailableException, PubSubUnavailableError nothing was answered yet
   */
  async open(listener: Listener, response: ServerResponse, lastEventId: string | undefined): Promise<void> {
    const known = lastEventId === undefined ? undefined : placeOf(lastEventId)
    const leave = this.enter(listener)
    let place: StreamPlace
    try {
      place = known ?? (await this.placeNow(listener))
    } catch (error) {
      leave()
      throw error
    }
    if (this.closing) {
      leave()
      throw tooMany()
    }
    // It has left meanwhile, and nobody would hear of it any more.
    if (response.destroyed) return leave()
    const subscriptions: Subscription[] = []
    const stream = new NotificationStream(response, place, MOST_WAITING_BYTES, (why) => {
      this.ended[why]++
      this.streams.delete(stream)
      leave()
      for (const subscription of subscriptions) void subscription.unsubscribe()
    })
    this.streams.add(stream)
    try {
      await this.follow(listener, place, stream, subscriptions)
      stream.begin()
      // It was closed before it had begun, and its client is there.
      if (!response.headersSent && !response.destroyed) throw tooMany()
    } catch (error) {
      stream.fail()
      if (!response.headersSent) throw error
    }
  }

  @Interval('beat-notifications', BEAT_MS)
  beat(): void {
    for (const stream of this.streams) if (stream.beat() >= MOST_BEATS) stream.close()
  }

  onModuleDestroy(): void {
    this.closing = true
    for (const stream of this.streams) stream.close()
  }

  /** Takes a place among those of the user. Answers how to give it back. */
  private enter({ tenantId, userId }: Listener): () => void {
    if (this.closing || this.streams.size >= MOST_STREAMS) {
      throw tooMany()
    }
    const name = userChannel(tenantId, userId)
    const count = this.perUser.get(name) ?? 0
    if (count >= MOST_OF_A_USER) {
      throw new HttpException(`A user has at most ${MOST_OF_A_USER} streams: close another one`, 429)
    }
    this.perUser.set(name, count + 1)
    return () => {
      const left = (this.perUser.get(name) ?? 1) - 1
      if (left === 0) this.perUser.delete(name)
      else this.perUser.set(name, left)
    }
  }

  /** Where both logs stand: a client that loses its connection at once comes back with that. */
  private async placeNow({ tenantId, userId }: Listener): Promise<StreamPlace> {
    const [user, tenant] = await Promise.all([
      this.messages.lastId(userChannel(tenantId, userId)),
      this.messages.lastId(tenantChannel(tenantId)),
    ])
    return { user, tenant }
  }

  private async follow(
    { tenantId, userId }: Listener,
    place: StreamPlace,
    stream: NotificationStream,
    subscriptions: Subscription[],
  ): Promise<void> {
    const channels = { user: userChannel(tenantId, userId), tenant: tenantChannel(tenantId) }
    for (const log of ['user', 'tenant'] as const) {
      const subscription = await this.messages.subscribe<Notification>(
        channels[log],
        ({ type, ...data }, { id = place[log] }) => stream.send(log, id, type, data),
        { from: place[log], maxQueued: MOST_QUEUED, onMissed: () => stream.tellGap(log) },
      )
      subscriptions.push(subscription)
      if (stream.isOver) return subscription.unsubscribe()
    }
  }
}

const tooMany = (): ServiceUnavailableException =>
  new ServiceUnavailableException('There are too many streams here, or the service ends: try again')
