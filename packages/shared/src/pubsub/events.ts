import { defineEvent } from '../kernel/events.js'

interface OfChannel {
  /** The channel or pattern of the subscription. */
  readonly target: string
}

/** A handler failed on a message. */
export const handlerFailed = defineEvent<OfChannel & { readonly error: unknown }>('pubsub.handler-failed')

/** A handler is too slow: the oldest messages that waited for it were dropped. Durable subscriptions drop none. */
export const messagesDropped = defineEvent<OfChannel & { readonly count: number }>('pubsub.dropped')

/** Messages may have been missed: the connection was lost, or they are not kept any more. */
export const messagesMissed = defineEvent<OfChannel & { readonly reason: 'connection' | 'trimmed' }>('pubsub.missed')

/** A message was handed out too often without success, and is put aside. */
export const messagePutAside = defineEvent<OfChannel & { readonly id: string; readonly deliveries: number }>(
  'pubsub.put-aside',
)
