import { type Clock, systemClock } from '../../kernel/clock.js'
import type { InvalidationListener, InvalidationSource } from '../../kernel/coherent-map.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { RedisConnection } from '../../redis/connection.js'
import type { Keyspace } from '../../redis/keyspace.js'
import type { TrackingMode } from '../../redis/tracking-handshake.js'
import { TrackingSource } from '../../redis/tracking.js'
import type { PushListener, PushSource } from '../cache-store.js'
import { RedisTold } from './redis-told.js'
import type { Telling, Tells } from './redis-writes.js'

const CONNECT_TIMEOUT_MS = 5_000

/** What {@link RedisPushes} takes beside its connection. */
export interface RedisPushesOptions {
  /** How old the proof may be that every push has been seen: a quarter of it, 500 ms at most, is the heartbeat. @default 2_000 ms */
  readonly stalenessMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
}

/**
 * The pushes of Redis, for the engine: an entry that changed, a wake key that was written, the tag clock, the mark of a `clear()`, or a reset.
 * It holds the tracking sessions, one a master, on connections of their own, and says whether this process's writes have to be published for
 * those that are refused tracking (R23).
 */
export class RedisPushes implements PushSource, Tells {
  private source: TrackingSource | null = null
  private stopWatching: () => void = () => undefined
  private readonly told: RedisTold
  private readonly listeners = new Set<PushListener>()
  private readonly others = new Set<{ readonly prefix: string; readonly listener: InvalidationListener }>()
  private readonly stalenessMs: number
  private readonly clock: Clock
  private readonly random: RandomSource

  /** @param warn told once when the server refuses tracking, with what that means and what mends it */
  constructor(
    private readonly connection: RedisConnection,
    private readonly keyspace: Keyspace,
    private readonly warn: (message: string) => void,
    { stalenessMs = 2_000, clock = systemClock, random = systemRandom }: RedisPushesOptions = {},
  ) {
    this.stalenessMs = stalenessMs
    this.clock = clock
    this.random = random
    const pushes = { validFrom: () => this.source?.validFrom() ?? -Infinity }
    this.told = new RedisTold(connection, keyspace, clock, pushes, warn)
  }

  /** Whether what this process writes now is published (R23). */
  get telling(): Telling {
    return this.told.telling
  }

  /** How it hears of writes; undefined while not every master has a session. */
  get mode(): TrackingMode | undefined {
    return this.source?.mode
  }

  /** Begins to open the sessions; the connection must have begun to connect. */
  start(): void {
    if (this.source !== null) return
    const source = new TrackingSource(() => this.connection.masters(), {
      prefixes: this.keyspace.trackedPrefixes,
      channel: this.keyspace.changes,
      clock: this.clock,
      random: this.random,
      stalenessMs: this.stalenessMs,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      name: 'vextrus-tracking',
      warn: this.warn,
      began: (mode) => this.told.began(mode),
    })
    source.listen({
      invalidate: (redisKey) => this.pushed(redisKey),
      reset: (reason) => {
        this.told.ended()
        this.reset(reason)
      },
    })
    // R20: another session of the data connection is another epoch of pushes.
    const stopSessions = this.connection.onSession((session) => {
      if (session !== undefined) source.reset('data connection')
    })
    // R20: so are other masters, and slots on their way.
    const stopMoves = this.connection.onMoved((reason) => source.reset(reason))
    this.stopWatching = () => {
      stopSessions()
      stopMoves()
    }
    source.start()
    this.source = source
  }

  get live(): boolean {
    return this.validFrom() !== -Infinity
  }

  get epoch(): number {
    return this.source !== null && this.told.open ? this.source.epoch : 0
  }

  validFrom(): number {
    return this.source !== null && this.told.open ? this.source.validFrom() : -Infinity
  }

  async barrier(): Promise<boolean> {
    return this.source !== null && this.live && (await this.source.barrier())
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** The writes of keys that begin so, by what stands behind that: for a capability beside the cache whose keys are tracked too. */
  sourceOf(prefix: string): InvalidationSource {
    return new PrefixedPushes(this, (listener) => {
      const member = { prefix, listener }
      this.others.add(member)
      return () => void this.others.delete(member)
    })
  }

  close(): void {
    this.stopWatching()
    this.source?.close()
    this.source = null
    this.told.stop()
  }

  private pushed(redisKey: string): void {
    const entry = this.keyspace.keyOfEntry(redisKey)
    if (entry !== undefined) return this.tell((listener) => listener.invalidate(entry))
    if (redisKey === this.keyspace.tags) return this.tell((listener) => listener.clockMoved?.())
    // R2: whatever is kept is of before the clear, or may be.
    if (redisKey === this.keyspace.clearMarker) return this.reset('cleared')
    if (redisKey === this.keyspace.publishedMarker) return this.told.marked()
    const waited = this.keyspace.keyOfWake(redisKey)
    if (waited !== undefined) return this.tell((listener) => listener.signalled?.(waited))
    for (const { prefix, listener } of this.others) {
      if (redisKey.startsWith(prefix)) listener.invalidate(redisKey.slice(prefix.length))
    }
  }

  private reset(reason: string): void {
    for (const { listener } of this.others) listener.reset(reason)
    this.tell((listener) => listener.reset(reason))
  }

  private tell(what: (listener: PushListener) => void): void {
    for (const listener of this.listeners) what(listener)
  }
}

/** The pushes of a prefix: as fresh as all are. */
class PrefixedPushes implements InvalidationSource {
  constructor(
    private readonly pushes: RedisPushes,
    readonly listen: InvalidationSource['listen'],
  ) {}

  get epoch(): number {
    return this.pushes.epoch
  }

  get live(): boolean {
    return this.pushes.live
  }

  validFrom(): number {
    return this.pushes.validFrom()
  }
}
