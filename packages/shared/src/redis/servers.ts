import type { RedisClientLike, RedisPort } from './client.js'
import type { Shard, ShardSession, Topology } from './topology.js'

/**
 * All servers of a connection, behind one face for the three topologies: `SingleServer` is a standalone Redis or the master that Sentinels
 * name, `ClusterServers` are the masters of a Cluster.
 */
export interface Servers extends Topology {
  /** For logs. */
  readonly id: string
  /** `unavailable`: a server is connected and does not answer. */
  readonly state: 'connecting' | 'ready' | 'unavailable'
  /** For the user's own commands. */
  readonly client: RedisClientLike | undefined
  /** The same array as long as the masters are the same. */
  masters(): readonly Master[]
  /** Where subscriptions are opened: at any server that hears all messages of classic pub/sub. */
  readonly door: Door
  /** Begins to connect, and goes on trying. @throws MissingPeerError no ioredis */
  open(): Promise<void>
  /** Nothing is told afterwards, and nothing is left that keeps the process alive. */
  close(): Promise<void>
}

/** What opens further connections to a server. */
export type Door = Pick<RedisPort, 'id' | 'dedicated'>

/** A master and the two ways to it. */
export interface Master {
  readonly port: Door
  /** The data connection. */
  readonly shard: Shard
}

/** What servers tell, each by its id. `up` and `down` are told again and again while it lasts. */
export interface ServersEvents {
  /** A session of a master began, ended (undefined), or has another epoch. */
  session(session: ShardSession | undefined): void
  /** Masters came or went, or slots are elsewhere (R20). */
  moved(reason: string): void
  /** All is well with the server. @param version on a new connection */
  up(id: string, version: string | undefined): void
  /** The server can't be used now, and why. */
  down(id: string, cause: Error): void
  /** The server is none of ours any more. */
  gone(id: string): void
}
