import { Backoff } from '../kernel/backoff.js'
import { TickBatch } from '../kernel/batch.js'
import type { Clock } from '../kernel/clock.js'
import type { InvalidationListener, InvalidationSource } from '../kernel/coherent-map.js'
import { defineEvent } from '../kernel/events.js'
import type { RandomSource } from '../kernel/random.js'
import type { RedisPort } from './client.js'
import { KeepOpen } from './keep-open.js'
import type { Shard, ShardSession } from './topology.js'
import { TrackingRefusedError, type TrackingMode, type TrackingTargets } from './tracking-handshake.js'
import { REFUSED_RETRY_MS, TrackingSession, type TrackingSessionEvents } from './tracking-session.js'

/**
 * The invalidation source on Redis: one tracking session for each master, seen from outside as one stream of writes with one epoch.
 *
 * It is live only while all of this holds at once, for every master: its session has had a PONG to a PING sent in this epoch (R17); its
 * data connection is up, and is the very one that was up when the epoch began; and both talk to the same server process, by `run_id` (R20).
 * Freshness is that of the oldest session, because a key, the tag clock and its clear marker may live on three masters (R18).
 *
 * Masters come and go on a Cluster. One that is new is covered once its session is; one that is gone takes its session with it.
 *
 * Whatever breaks one of these conditions ends the epoch. It is not resumed: the next one begins with empty maps, after a new proof from
 * every session. So nothing has to be known about what was missed.
 *
 * A master that refuses tracking is heard by what is published on it (R23); from outside nothing is different but the {@link mode}.
 */
export class TrackingSource implements InvalidationSource {
  private current = 1
  private tracked: readonly Tracked[] = []
  /** The masters that `tracked` was made for. */
  private followed: readonly TrackedMaster[] = []
  private readonly listeners = new Set<InvalidationListener>()
  private readonly barriers = new TickBatch<(told: boolean) => void>((asked) => this.prove(asked), {
    max: Number.POSITIVE_INFINITY,
  })
  private warned = false
  private started = false
  /** The last epoch that was told of as live. */
  private begun = 0

  /** @param masters those there are now: the same array as long as they are the same */
  constructor(
    private readonly masters: () => readonly TrackedMaster[],
    private readonly options: TrackingOptions,
  ) {}

  /** Begins to open the sessions, and keeps on; `live` says when they are up. */
  start(): void {
    this.started = true
    this.follow()
  }

  get live(): boolean {
    return this.validFrom() !== -Infinity
  }

  get epoch(): number {
    return this.live ? this.current : 0
  }

  /** `published`: some master refuses tracking. Undefined while not every master has a session. */
  get mode(): TrackingMode | undefined {
    if (this.masters() !== this.followed || this.tracked.length === 0) return undefined
    let mode: TrackingMode = 'tracking'
    for (const { sessions } of this.tracked) {
      if (sessions.current === undefined) return undefined
      if (sessions.current.mode === 'published') mode = 'published'
    }
    return mode
  }

  validFrom(): number {
    // Masters came or went, and nobody has told yet: not all are covered (R20).
    if (this.masters() !== this.followed) return -Infinity
    let oldest = Infinity
    for (const { master, sessions, data } of this.tracked) {
      const session = sessions.current
      if (session === undefined || data === undefined || master.shard.session !== data) return -Infinity
      oldest = Math.min(oldest, session.validFrom)
    }
    return oldest === Infinity ? -Infinity : oldest
  }

  /**
   * Asks every session whether all has been told (R21). True: every write acknowledged before this call has been reported. False: nobody can
   * say. Who asks in the same tick shares the question, which is unsent until then.
   */
  barrier(): Promise<boolean> {
    return new Promise((resolve) => this.barriers.add(resolve))
  }

  listen(listener: InvalidationListener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /**
   * Ends the epoch (R20). The connection calls this when it has reconnected and knows its server again, and when role, `run_id` or topology
   * have changed: the sessions then follow the masters. One that is waiting for its next attempt makes it now.
   * @param reason for logs and events
   */
  reset(reason: string): void {
    if (this.started) this.follow()
    this.endEpoch(reason)
    for (const { sessions } of this.tracked) sessions.hurry()
  }

  /** Ends every session; nothing is reported afterwards. */
  close(): void {
    this.started = false
    for (const { sessions } of this.tracked) sessions.stop()
    this.endEpoch('closed')
    this.listeners.clear()
  }

  private async prove(asked: readonly ((told: boolean) => void)[]): Promise<void> {
    const { epoch } = this
    const proofs = epoch === 0 ? [] : this.tracked.map(({ sessions }) => sessions.current!.prove())
    const proven = proofs.length > 0 && (await Promise.all(proofs)).every(Boolean)
    for (const resolve of asked) resolve(proven && this.epoch === epoch)
  }

  /** A session for each master that there is now, and none for others. */
  private follow(): void {
    const masters = this.masters()
    if (masters === this.followed) return
    const before = new Map(this.tracked.map((tracked) => [tracked.master, tracked]))
    this.tracked = masters.map((master) => before.get(master) ?? this.track(master))
    this.followed = masters
    for (const tracked of this.tracked) before.delete(tracked.master)
    for (const { sessions } of before.values()) sessions.stop()
    for (const { sessions } of this.tracked) sessions.start()
  }

  private track(master: TrackedMaster): Tracked {
    const { clock, random } = this.options
    const on: TrackingSessionEvents = {
      push: (keys) => this.pushed(keys),
      pong: () => this.proved(tracked),
      lost: (session, reason) => this.lost(tracked, session, reason),
    }
    const sessions = new KeepOpen<TrackingSession>(clock, new Backoff(BACKOFF, random), {
      open: () => TrackingSession.open(master.port, this.options, on),
      opened: (session) => this.opened(session),
      failed: (cause) => this.failed(cause),
    })
    const tracked: Tracked = { master, sessions, data: undefined }
    return tracked
  }

  private opened(session: TrackingSession): void {
    session.start()
    if (session.refusal !== undefined) this.warnOnce(session.refusal)
  }

  private pushed(keys: readonly string[] | null): void {
    if (keys === null) return this.endEpoch('flushed')
    for (const key of keys) this.tell((listener) => listener.invalidate(key))
  }

  /** A PONG came: the moment at which the two connections of a master are compared. */
  private proved(tracked: Tracked): void {
    const { master, sessions } = tracked
    const session = sessions.current
    const data = master.shard.session
    if (session === undefined) return
    if (data !== undefined && data.runId !== session.runId) {
      return this.lost(tracked, session, 'the data connection is on another server process')
    }
    if (this.mode === 'tracking') this.warned = false
    if (data !== tracked.data) {
      const known = tracked.data !== undefined
      tracked.data = data
      // A loss or a reconnect that nobody reported yet: what was kept before it belongs to the epoch before it.
      if (known) return this.endEpoch('data connection changed')
    }
    const { epoch, mode } = this
    if (epoch === 0 || epoch === this.begun || mode === undefined) return
    this.begun = epoch
    this.options.began?.(mode)
  }

  private lost(tracked: Tracked, session: TrackingSession, reason: string): void {
    if (tracked.sessions.drop(session)) this.endEpoch(`${tracked.master.port.id}: ${reason}`)
  }

  private failed(cause: unknown): number | undefined {
    if (!(cause instanceof TrackingRefusedError)) return undefined
    this.warnOnce(cause)
    return REFUSED_RETRY_MS
  }

  private warnOnce({ message }: TrackingRefusedError): void {
    if (!this.warned) this.options.warn(message)
    this.warned = true
  }

  private endEpoch(reason: string): void {
    for (const tracked of this.tracked) {
      tracked.data = tracked.master.shard.session
      tracked.sessions.current?.renew()
    }
    this.current++
    trackingReset.publish(() => ({ reason }))
    this.tell((listener) => listener.reset(reason))
  }

  /** A listener that throws must not keep the others from hearing: its error surfaces on its own, as from an event emitter. */
  private tell(what: (listener: InvalidationListener) => void): void {
    for (const listener of this.listeners) {
      try {
        what(listener)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

export interface TrackingOptions extends TrackingTargets {
  readonly clock: Clock
  readonly random: RandomSource
  /** How old the proof of a hit may be, ms; the heartbeat is a quarter of it, 500 ms at most. */
  readonly stalenessMs: number
  /** Milliseconds for opening a connection, and as many for the handshake on it. */
  readonly connectTimeoutMs: number
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  /** Told once when a server refuses tracking, with what that means and what mends it. */
  readonly warn: (message: string) => void
  /** Called when an epoch has become live. */
  readonly began?: (mode: TrackingMode) => void
}

/** A master and the two ways to it. */
export interface TrackedMaster {
  readonly port: Pick<RedisPort, 'id' | 'dedicated'>
  /** The data connection. */
  readonly shard: Pick<Shard, 'session'>
}

/** An epoch of invalidations ended: what was kept in memory is gone, and waiters look again. */
export const trackingReset = defineEvent<{ readonly reason: string }>('redis.tracking-reset')

interface Tracked {
  readonly master: TrackedMaster
  readonly sessions: KeepOpen<TrackingSession>
  /** The data connection of this epoch, by identity: each (re)connect makes a new object. Its `run_id` is compared at each PONG. */
  data: ShardSession | undefined
}

const BACKOFF = { baseMs: 50, capMs: 2_000 }
