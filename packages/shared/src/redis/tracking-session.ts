import type { Clock } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import { VextrusError } from '../kernel/errors.js'
import type { DedicatedConnection, RedisPort } from './client.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { Heartbeat } from './heartbeat.js'

/**
 * One tracking session: a connection on which one master reports every write to the keys of some prefixes, from its opening to its end. It
 * never comes back to life; whoever wants to go on opens another one.
 *
 * The handshake is `CLIENT ID` → `CLIENT TRACKING ON BCAST PREFIX … REDIRECT <own id>` → `SUBSCRIBE __redis__:invalidate` → `PING`, and the
 * order of the last three is the point: a connection that redirects tracking to itself is sent pushes only once it subscribes, so what is
 * written between TRACKING and SUBSCRIBE is reported to nobody. Only the PONG to a PING sent after SUBSCRIBE was answered proves that
 * everything is reported, and only from then on is there something to be fresh against (R17).
 *
 * There is no NOLOOP: the writes of this very process are reported too, and to all of its connections alike.
 */
export class TrackingSession {
  /** @throws TrackingRefusedError the server doesn't allow it; anything else: it could not be reached, or not in time */
  static async open(
    port: Pick<RedisPort, 'id' | 'dedicated'>,
    options: TrackingSessionOptions,
    on: TrackingSessionEvents,
  ): Promise<TrackingSession> {
    const { clock, stalenessMs, connectTimeoutMs } = options
    const connection = await port.dedicated({ name: options.name, connectTimeoutMs })
    const late = (): Error => new RedisUnavailableError(port.id, 'deadline', { timeoutMs: connectTimeoutMs })
    try {
      const runId = await withDeadline(handshake(connection, options.prefixes, on), connectTimeoutMs, clock, late)
      return new TrackingSession(connection, runId, clock, stalenessMs, on)
    } catch (cause) {
      connection.close()
      throw isRefusal(cause) ? new TrackingRefusedError(port.id, cause) : cause
    }
  }

  private readonly heartbeat: Heartbeat

  private constructor(
    private readonly connection: DedicatedConnection,
    /** The server process that this session listens to. */
    readonly runId: string,
    clock: Clock,
    stalenessMs: number,
    on: TrackingSessionEvents,
  ) {
    const everyMs = Math.min(HEARTBEAT_MS, stalenessMs / 4)
    this.heartbeat = new Heartbeat(
      connection,
      clock,
      { everyMs, timeoutMs: stalenessMs },
      { pong: () => on.pong(this), dead: () => on.lost(this, `no answer for ${stalenessMs} ms`) },
    )
    connection.onClose((cause) => on.lost(this, cause === null ? 'connection closed' : cause.message))
  }

  /** Sends the first PING; `validFrom` counts from its PONG on. */
  start(): void {
    this.heartbeat.start()
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
    this.heartbeat.stop()
    this.connection.close()
  }
}

export interface TrackingSessionOptions {
  /** Which keys to hear of. No prefix may be the beginning of another one. */
  readonly prefixes: readonly string[]
  readonly clock: Clock
  /** A PING unanswered this long ends the session; the heartbeat is a quarter of it, 500 ms at most. */
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

/** The server does not let this connection track keys. Code `TRACKING_REFUSED`. */
export class TrackingRefusedError extends VextrusError {
  constructor(id: string, cause: RedisReplyError) {
    super(
      `Redis at ${id} refuses client-side tracking (${cause.message}). Until it allows it nothing is kept in this process's memory and waiting ` +
        'callers look again on a timer. Allow the user `+client|id +client|tracking +info +subscribe +ping` and the channel ' +
        '`&__redis__:invalidate`; a proxy in between must pass these commands on',
      { code: 'TRACKING_REFUSED', cause },
    )
  }
}

const INVALIDATIONS = '__redis__:invalidate'
const HEARTBEAT_MS = 500

async function handshake(
  connection: DedicatedConnection,
  prefixes: readonly string[],
  on: TrackingSessionEvents,
): Promise<string> {
  connection.onMessage((channel, payload) => {
    if (channel !== INVALIDATIONS) return
    on.push(Array.isArray(payload) ? payload.map((key) => key.toString()) : null)
  })
  const [id, info] = await Promise.all([connection.call('CLIENT', ['ID']), connection.call('INFO', ['server'])])
  const prefixed = prefixes.flatMap((prefix) => ['PREFIX', prefix])
  await connection.call('CLIENT', ['TRACKING', 'ON', 'REDIRECT', Number(id), 'BCAST', ...prefixed])
  await connection.call('SUBSCRIBE', [INVALIDATIONS])
  return /^run_id:(\w+)/m.exec(String(info))?.[1] ?? ''
}

/** An error reply of the handshake that time alone will not mend. */
function isRefusal(cause: unknown): cause is RedisReplyError {
  return cause instanceof RedisReplyError && !['LOADING', 'BUSY', 'MASTERDOWN'].includes(cause.reply)
}
