import type { Clock, Timer } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import type { DedicatedConnection, RedisPort } from './client.js'
import { RedisUnavailableError } from './errors.js'
import { Heartbeat } from './heartbeat.js'
import {
  handshake,
  isRefusal,
  TrackingRefusedError,
  type TrackingMode,
  type TrackingTargets,
} from './tracking-handshake.js'

/**
 * One tracking session: a connection on which one master reports every write to the keys of some prefixes, from its opening to its end. It
 * never comes back to life; whoever wants to go on opens another one.
 *
 * After its handshake comes a PING, and only the PONG to it proves that everything is reported from then on: that is the first moment with
 * something to be fresh against (R17).
 *
 * There is no NOLOOP: the writes of this very process are reported too, and to all of its connections alike.
 *
 * Where the server refuses tracking the session subscribes to what writes publish (R23). A message is published by the script that writes, on
 * the master that it writes to; so it lies in this connection's socket ahead of the PONG to any PING that this master has read afterwards,
 * and all that is said of pushes holds. Such a session asks every half minute whether tracking is allowed by now, and then ends.
 */
export class TrackingSession {
  /** @throws TrackingRefusedError the server allows no way to listen; anything else: it could not be reached, or not in time */
  static async open(
    port: Pick<RedisPort, 'id' | 'dedicated'>,
    options: TrackingSessionOptions,
    on: TrackingSessionEvents,
  ): Promise<TrackingSession> {
    try {
      return await TrackingSession.connect('tracking', port, options, on)
    } catch (refusal) {
      if (!isRefusal(refusal)) throw refusal
      try {
        const session = await TrackingSession.connect('published', port, options, on)
        session.refusal = new TrackingRefusedError(port.id, refusal, options.channel)
        return session
      } catch (other) {
        throw isRefusal(other) ? new TrackingRefusedError(port.id, refusal, options.channel, other) : other
      }
    }
  }

  private static async connect(
    mode: TrackingMode,
    port: Pick<RedisPort, 'id' | 'dedicated'>,
    options: TrackingSessionOptions,
    on: TrackingSessionEvents,
  ): Promise<TrackingSession> {
    const { clock, connectTimeoutMs } = options
    const connection = await port.dedicated({ name: options.name, connectTimeoutMs })
    const late = (): Error => new RedisUnavailableError(port.id, 'deadline', { timeoutMs: connectTimeoutMs })
    try {
      const listening = handshake(mode, connection, options, (keys) => on.push(keys))
      const runId = await withDeadline(listening, connectTimeoutMs, clock, late)
      return new TrackingSession(mode, connection, runId, port, options, on)
    } catch (cause) {
      connection.close()
      throw cause
    }
  }

  /** Why it is not `tracking`. */
  refusal: TrackingRefusedError | undefined
  private readonly heartbeat: Heartbeat
  private asking: Timer | undefined
  private closed = false

  private constructor(
    readonly mode: TrackingMode,
    private readonly connection: DedicatedConnection,
    /** The server process that this session listens to. */
    readonly runId: string,
    private readonly port: Pick<RedisPort, 'id' | 'dedicated'>,
    private readonly options: TrackingSessionOptions,
    private readonly on: TrackingSessionEvents,
  ) {
    const { clock, stalenessMs } = options
    const everyMs = Math.min(HEARTBEAT_MS, stalenessMs / 4)
    this.heartbeat = new Heartbeat(
      connection,
      clock,
      { everyMs, timeoutMs: SILENCE_MS },
      { pong: () => on.pong(this), dead: () => on.lost(this, `no answer for ${SILENCE_MS} ms`) },
    )
    connection.onClose((cause) => on.lost(this, cause === null ? 'connection closed' : cause.message))
  }

  /** Sends the first PING; `validFrom` counts from its PONG on. */
  start(): void {
    this.heartbeat.start()
    if (this.mode === 'published') this.askLater()
  }

  /** Monotonic ms: every write acknowledged up to then has been reported. −Infinity before the first PONG, and after {@link close}. */
  get validFrom(): number {
    return this.heartbeat.provenUntil
  }

  /** Sends a PING of its own. True: everything that was acknowledged before this call has been reported. */
  prove(): Promise<boolean> {
    return this.heartbeat.prove()
  }

  /** A new epoch began: only a PING sent after this counts. */
  renew(): void {
    this.heartbeat.renew()
  }

  close(): void {
    this.closed = true
    this.asking?.cancel()
    this.heartbeat.stop()
    this.connection.close()
  }

  private askLater(): void {
    this.asking = this.options.clock.timer(REFUSED_RETRY_MS, () => void this.ask())
  }

  private async ask(): Promise<void> {
    const allowed = await this.isTrackingAllowed()
    if (this.closed) return
    if (allowed) this.on.lost(this, 'the server allows tracking now')
    else this.askLater()
  }

  /** On a connection of its own, which ends: what it would be told is of no use before its successor has begun. */
  private async isTrackingAllowed(): Promise<boolean> {
    try {
      const probe = await TrackingSession.connect('tracking', this.port, this.options, NOBODY)
      probe.close()
      return true
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause
      return false
    }
  }
}

export interface TrackingSessionOptions extends TrackingTargets {
  readonly clock: Clock
  /** How old the proof of a hit may be, ms; the heartbeat is a quarter of it, 500 ms at most. */
  readonly stalenessMs: number
  /** Milliseconds for the connection, and as many for the handshake. */
  readonly connectTimeoutMs: number
  /** Shown by `CLIENT LIST`. */
  readonly name: string
}

export interface TrackingSessionEvents {
  /** These keys were written; null: all of them may have been (FLUSHDB, FLUSHALL). Also called before the session has its first PONG. */
  push(keys: readonly string[] | null): void
  /** `validFrom` has moved. */
  pong(session: TrackingSession): void
  /** The connection ended or went silent. It may be called more than once, and is called for an own `close()` as well. */
  lost(session: TrackingSession, reason: string): void
}

const NOBODY: TrackingSessionEvents = { push: () => undefined, pong: () => undefined, lost: () => undefined }
const HEARTBEAT_MS = 500
/**
 * How long a PING may be unanswered until the session counts as lost, whatever staleness is asked for: a hit is bounded by its lease (R18), and a
 * session that is given up at the first hiccup costs all that was kept.
 */
const SILENCE_MS = 2_000
/** A refusal is a matter of configuration; it is asked again because an administrator may mend it without a restart. */
export const REFUSED_RETRY_MS = 30_000
