import { defineEvent } from '../kernel/events.js'
import type { MissedReason } from './public-types.js'

interface OfChannel {
  /** The channel or pattern of the subscription. */
  readonly target: string
}

/** A handler failed on a message. */
export const handlerFailed = defineEvent<OfChannel & { readonly error: unknown }>('pubsub.handler-failed')

/** A handler is too slow: the oldest messages that waited for it were dropped. Durable subscriptions drop none. */
export const messagesDropped = defineEvent<OfChannel & { readonly count: number }>('pubsub.dropped')

/** Messages may have been missed. */
export const messagesMissed = defineEvent<OfChannel & { readonly reason: MissedReason }>('pubsub.missed')

/** A message was handed out too often without success, and is put aside: it is in the log of the channel `to`. */
export const messagePutAside = defineEvent<
  OfChannel & { readonly id: string; readonly deliveries: number; readonly to: string }
>('pubsub.put-aside')
