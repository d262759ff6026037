import { defineEvent } from '../kernel/events.js'

/** A server can be used: at the first connection, after every reconnect, and when it answers again. Channel `vextrus:redis.connected`. */
export const redisConnected = defineEvent<{
  /** `host:port` or the socket path. */
  readonly id: string
  /** How long it was away, in ms; undefined at the first connection. */
  readonly awayMs: number | undefined
}>('redis.connected')

/** A server can't be used any more, or could not be reached at the start. Once an outage. Channel `vextrus:redis.lost`. */
export const redisLost = defineEvent<{
  /** `host:port` or the socket path. */
  readonly id: string
  readonly cause: Error
}>('redis.lost')
