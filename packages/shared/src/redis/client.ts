import type { RedisArg, RedisReply } from './topology.js'

/**
 * The client port: all that the toolkit asks of a Redis client. `adapters/ioredis.ts` keeps it on ioredis 5 and 6; nothing else in the
 * toolkit knows a client library, not even its types.
 */
export interface RedisPort {
  /** `host:port` or the socket path, for logs. */
  readonly id: string
  /** True between the client's `ready` and the loss of that connection. */
  readonly ready: boolean
  /**
   * Writes the commands in one go, in order, and answers one reply each; an error reply is a `RedisReplyError` in its place.
   * Rejects when the connection is not ready or is lost before all replies came. Never queues, never resends.
   */
  pipeline(commands: readonly RawCommand[]): Promise<RedisReply[]>
  /** Calls back on each `ready` (also at once when already ready), on each loss of the connection, and with each connection error. */
  watch(events: { ready(): void; lost(): void; error(cause: Error): void }): () => void
  /** Starts connecting when the client is lazy; resolves without waiting for success. */
  connect(): void
  /** Opens one more connection to the same server, that never reconnects by itself. Rejects when it can't be opened. */
  dedicated(options: DedicatedOptions): Promise<DedicatedConnection>
  /** Drops an owned connection that has gone silent, and so makes a new one; a client that the user gave stays as it is. */
  reset(): void
  /** Ends the connection if it is owned; a client that the user gave stays open. */
  close(): Promise<void>
}

/** A client that the user made: `Redis` of ioredis 5.4 or later, or 6. Its owner opens and closes it. */
export interface RedisClientLike {
  readonly status: string
  readonly isCluster: boolean
  readonly options: object
  connect(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  duplicate(override?: object): unknown
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** A command as it goes over the wire. */
export interface RawCommand {
  readonly name: string
  readonly args: readonly RedisArg[]
  readonly binary?: boolean
}

/** How a connection for one purpose, such as listening, is opened. */
export interface DedicatedOptions {
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  /** Milliseconds until a connection attempt is given up. */
  readonly connectTimeoutMs: number
}

/** A RESP2 connection of its own: for tracking and subscriptions. One-shot: once closed it stays closed. */
export interface DedicatedConnection {
  call(name: string, args: readonly RedisArg[]): Promise<RedisReply>
  /** Messages of SUBSCRIBE, PSUBSCRIBE and SSUBSCRIBE. `payload` is the raw reply: an array of keys, or null, for `__redis__:invalidate`. */
  onMessage(listener: (channel: string, payload: Buffer | Buffer[] | null, pattern: string | null) => void): void
  /** Called once, when the connection is closed, whoever closed it. */
  onClose(listener: (cause: Error | null) => void): void
  close(): void
}
