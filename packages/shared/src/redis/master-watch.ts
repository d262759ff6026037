import type { Clock, Timer } from '../kernel/clock.js'
import { VextrusError } from '../kernel/errors.js'
import type { RawCommand, RedisPort } from './client.js'
import { RedisModeError, RedisRoleError, RedisUnavailableError, RedisVersionError } from './errors.js'
import { HANDSHAKE, HEARTBEAT, readGreeting, readServerInfo } from './server-info.js'
import type { RedisShard } from './shard.js'
import type { RedisReply, ShardSession } from './topology.js'

/**
 * Watches over the connection to one master and says when commands may go out on it.
 *
 * A connection is opened for commands only after its server has said its version, its role and its replication id (R16). From then on a
 * heartbeat every 500 ms asks for role, replication id and time again: a master that was demoted is left within one heartbeat, a changed
 * replication id is another epoch. A heartbeat is also the probe of an open circuit, and after ten without an answer (four under
 * Sentinels) the connection counts as dead and an owned one is made anew: a peer that vanished without a word would otherwise be waited for as
 * long as TCP resends.
 */
export class MasterWatch {
  private timer: Timer | undefined
  private unwatch: (() => void) | undefined
  /** Which connection this is: an answer that belongs to an earlier one says nothing. */
  private connection = 0
  private asking = false
  /** The server of this connection can't be used, and will not change while the connection lives. */
  private refused = false
  private lastAnswerAt = 0
  private readonly movable: boolean
  private readonly inCluster: boolean

  constructor(
    private readonly port: RedisPort,
    private readonly shard: RedisShard,
    private readonly clock: Clock,
    private readonly on: MasterEvents,
    { movable = false, inCluster = false }: MasterWatchOptions = {},
  ) {
    this.movable = movable
    this.inCluster = inCluster
  }

  start(): void {
    this.shard.attach(this.port)
    this.unwatch = this.port.watch({
      ready: () => this.connected(),
      lost: () => this.end(new Error('the connection was lost')),
      error: (cause) => this.failed(cause),
    })
    this.port.connect()
    this.timer = this.clock.timer(HEARTBEAT_MS, this.beat)
  }

  stop(): void {
    this.timer?.cancel()
    this.unwatch?.()
    this.connection++
  }

  private connected(): void {
    this.connection++
    this.asking = false
    this.refused = false
    this.lastAnswerAt = this.clock.mono()
    void this.greet()
  }

  /** An error alone ends nothing: if the connection is lost with it, that is told too. */
  private failed(cause: Error): void {
    if (this.shard.session === undefined) this.end(cause)
    else this.on.down(cause)
  }

  private end(cause: Error): void {
    if (!this.port.ready) this.connection++
    const had = this.shard.session !== undefined
    this.shard.end(cause)
    if (had) this.on.session(undefined)
    this.on.down(cause)
    // Another server is the master now: the next connection leads to it.
    if (this.movable && cause instanceof RedisRoleError) this.port.reset()
  }

  private readonly beat = (): void => {
    this.timer = this.clock.timer(HEARTBEAT_MS, this.beat)
    const { session, timeoutMs } = this.shard
    if (!this.port.ready || this.refused) return
    if (this.clock.mono() - this.lastAnswerAt > this.silenceMs(timeoutMs)) this.port.reset()
    else if (!this.asking) void (session === undefined ? this.greet() : this.check(session))
  }

  private silenceMs(timeoutMs: number): number {
    return Math.max(this.movable ? MOVABLE_SILENCE_MS : SILENCE_MS, 3 * timeoutMs)
  }

  private async greet(): Promise<void> {
    const outcome = await this.ask(HANDSHAKE, (replies) => readGreeting(this.port.id, replies, this.inCluster))
    if (outcome === undefined) return
    const { value: greeting, failure } = outcome
    if (greeting === undefined) {
      this.refused = failure instanceof RedisVersionError || failure instanceof RedisModeError
      return this.end(failure)
    }
    this.shard.noteTime(greeting.timeMs)
    this.shard.begin(greeting.session)
    this.on.session(greeting.session)
    this.on.up(greeting.version)
  }

  private async check(session: ShardSession): Promise<void> {
    const probing = this.shard.probe()
    const outcome = await this.ask(HEARTBEAT, (replies) => readServerInfo(this.port.id, session.runId, replies))
    if (outcome === undefined) return
    const { value: info, failure } = outcome
    if (failure instanceof RedisRoleError) return this.end(failure)
    if (probing) this.shard.report(info !== undefined)
    if (info === undefined) {
      if (this.shard.circuit !== 'closed') this.on.down(failure)
      return
    }
    this.shard.noteTime(info.timeMs)
    if (info.session.epoch !== session.epoch) {
      this.shard.renew(info.session)
      this.on.session(info.session)
    }
    if (this.shard.circuit === 'closed') this.on.up(undefined)
  }

  /** Undefined: the connection is another one by now. */
  private async ask<T>(
    commands: readonly RawCommand[],
    read: (replies: readonly RedisReply[]) => T,
  ): Promise<Outcome<T> | undefined> {
    const { connection } = this
    this.asking = true
    let outcome: Outcome<T>
    try {
      outcome = { value: read(await this.shard.ask(commands)), failure: undefined }
    } catch (cause) {
      if (!(cause instanceof VextrusError)) throw cause
      outcome = { value: undefined, failure: cause }
    }
    if (connection !== this.connection) return undefined
    this.asking = false
    // An error reply is an answer too: the peer is there.
    if (!(outcome.failure instanceof RedisUnavailableError)) this.lastAnswerAt = this.clock.mono()
    return outcome
  }
}

export interface MasterWatchOptions {
  /** Somebody else decides which server is the master, and a new connection goes to that one. @default false */
  readonly movable?: boolean
  /** The server may be a node of a Cluster: the slots are followed. @default false */
  readonly inCluster?: boolean
}

/** What a {@link MasterWatch} tells. `up` and `down` are told again and again while it lasts. */
export interface MasterEvents {
  /** Commands may go out, on this session; undefined: they may not. Also told when the epoch changes. */
  session(session: ShardSession | undefined): void
  /** All is well. @param version of the server, on a new connection */
  up(version: string | undefined): void
  /** It can't be used now, and why. */
  down(cause: Error): void
}

type Outcome<T> =
  { readonly value: T; readonly failure: undefined } | { readonly value: undefined; readonly failure: VextrusError }

const HEARTBEAT_MS = 500
const SILENCE_MS = 10 * HEARTBEAT_MS
/** Where a failover may have happened, waiting any longer for the old master is of no use. */
const MOVABLE_SILENCE_MS = 4 * HEARTBEAT_MS
