/** What a handler is told beside the message. */
export interface MessageMeta {
  readonly channel: string
  /** Of a pattern subscription. */
  readonly pattern?: string | undefined
  /** Of a durable message: where it stands in the log; what `from` takes. */
  readonly id?: string | undefined
  /** What it was published with; the same for each delivery of one message. */
  readonly messageId?: string | undefined
  /** With a group: how often it was handed out, this time included. */
  readonly deliveries?: number | undefined
}

/** Called with one message after the other; the next one waits for its promise. It runs in the asynchronous context of the call that subscribed. */
export type MessageHandler<T> = (message: T, meta: MessageMeta) => void | Promise<void>

/** What `publish` takes. */
export interface PublishOptions {
  /** Keeps the message in the channel's log, for `pubsub.keep`. @default false */
  readonly durable?: boolean | undefined
  /**
   * With `durable`: a message of this id is kept and told once, however often it is published within `pubsub.keep`. 1 to 256 characters.
   * @default none
   */
  readonly messageId?: string | undefined
}

/** What `publish` answers. */
export interface Published {
  /** Of a durable message. */
  readonly id?: string | undefined
  /** False: a message of this `messageId` was there already. */
  readonly fresh: boolean
}

/** What `subscribe` takes. */
export interface SubscribeOptions {
  /**
   * Every durable message after this one, each once and in order, also across lost connections: an id, `'start'` for all that are kept, or `'now'`.
   * Messages that are not durable are not handed out then. @default messages as they come; those during a lost connection are missed
   */
  readonly from?: string | undefined
  /**
   * Each durable message goes to one consumer of the group, at least once: again when its handler fails, or its process is gone, `pubsub.idle` later.
   * After `pubsub.maxDeliveries` it is put aside, into the log of the channel {@link putAsideChannel} names. A new group begins at `from`, by default
   * `'now'`; a group is gone when it had no consumer for `pubsub.keep`.
   */
  readonly group?: string | undefined
  /** The name of this consumer in its group. @default one of its own */
  readonly consumer?: string | undefined
  /** With a group: messages that one consumer works on at the same time. @default 1, in order */
  readonly concurrency?: number | undefined
  /** Messages that wait for the handler, at most. @default the module's `pubsub.maxQueued`: 1_000 */
  readonly maxQueued?: number | undefined
  /**
   * Told that messages may have been missed: after those that came before, and before the next. With a group, at any time. The next message waits
   * for its promise.
   */
  readonly onMissed?: ((reason: MissedReason) => void | Promise<void>) | undefined
}

/**
 * Why messages may be missing. `connection`: it was lost for a time; only of subscriptions without `from` and `group`. `trimmed`: they are not kept
 * any more, or were lost with the log. `slow`: the handler was too slow for them; only of subscriptions without `from` and `group`.
 */
export type MissedReason = 'connection' | 'trimmed' | 'slow'

/** A subscription, until it ends. */
export interface Subscription extends AsyncDisposable {
  /** The channel or pattern. */
  readonly target: string
  /**
   * The handler is not called again; resolves when a call under way has settled, unless it is called from the handler itself. Doing it twice does
   * nothing.
   */
  unsubscribe(): Promise<void>
}
