import type { RedisReplyError } from './errors.js'
import type { RedisCommand } from './script.js'

export type { RedisArg, RedisCommand } from './script.js'

/** A reply as RESP2 knows it; an error reply stands in its place in the list and is not thrown. */
export type RedisReply = string | number | Buffer | null | RedisReplyError | RedisReply[]

/** What is known about the server behind a connection; a new one after every (re)connect. */
export interface ShardSession {
  /** First 8 characters of the master's `master_replid` (R16): another one after a failover or a restart. */
  readonly epoch: string
  /** The server process's `run_id`. */
  readonly runId: string
}

/** The answers of one {@link Shard.exec}, all read on one connection. */
export interface Executed {
  /** One a command, in the order sent. */
  readonly replies: readonly RedisReply[]
  /** The session on which all of them were read. */
  readonly session: ShardSession
}

/** One master: commands go out in one write, in order, on one connection. */
export interface Shard {
  /** `host:port`, for logs. */
  readonly id: string
  /** Undefined while there is no connection whose epoch is known. */
  readonly session: ShardSession | undefined
  /**
   * Sends the commands before it returns (when connected) and answers all replies. Never retries, never resends, except a script the server
   * no longer knows (NOSCRIPT), which is sent once more as EVAL.
   * @throws RedisUnavailableError no connection, connection lost, deadline (`commandTimeout`) passed, or circuit open
   */
  exec(commands: readonly RedisCommand[]): Promise<Executed>
  /**
   * A lower estimate of the server's own clock now, in ms since 1970: its last `TIME` plus the monotonic time since that answer came.
   * Undefined before the first one.
   */
  serverNow(): number | undefined
}

/** Where keys live. A standalone server is a topology of one shard. */
export interface Topology {
  shardOf(key: string): Shard
  shards(): readonly Shard[]
}
