import type { RedisReplyError, RedisUnavailableError } from './errors.js'
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

/**
 * Commands that go together, in order, to the master of one slot. On a Cluster they follow that slot: from the first command on that was
 * answered with a redirection, the unit is done again where the redirection points, so the order of its commands holds at every master.
 */
export interface Unit {
  /** Any Redis key of the slot; all keys of the commands are of this slot. */
  readonly key: string
  /** A function makes them anew for each master that they are sent to: what a command carries may depend on the server (R14). */
  readonly commands: readonly RedisCommand[] | ((shard: Shard) => readonly RedisCommand[])
}

/** What became of one {@link Unit}. */
export type UnitOutcome = UnitReplies | RedisUnavailableError

/** The answers to a unit. */
export interface UnitReplies {
  /** One a command. */
  readonly replies: readonly RedisReply[]
  /** The session of the master that gave the last of them. */
  readonly session: ShardSession
  readonly shard: Shard
  /** A redirection was followed: not all of the replies need be of one server. */
  readonly redirected: boolean
}

/** What a scan of all masters compares before and after (R12). */
export interface Layout {
  /** Which master serves which slots, as one text. */
  readonly slots: string
  /** A slot is on its way from one master to another. */
  readonly migrating: boolean
}

/** Where keys live: one server, or the masters of a Cluster. */
export interface Topology {
  /** True: keys live on several masters, and the keys of one command must be of one slot. */
  readonly sharded: boolean
  /** The master of a key; undefined while none is known. */
  shardOf(key: string): Shard | undefined
  /** All masters. */
  shards(): readonly Shard[]
  /**
   * Sends units, those of one master in one write and in the order given, and answers what became of each. Units of one master that is away
   * fail alone.
   */
  exec(units: readonly Unit[]): Promise<readonly UnitOutcome[]>
  /** @throws RedisUnavailableError it can't be told now */
  layout(): Promise<Layout>
}
