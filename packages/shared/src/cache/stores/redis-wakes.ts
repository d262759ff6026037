import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { RedisConnection } from '../../redis/connection.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { TrackingSource } from '../../redis/tracking.js'
import type { WakeSource } from '../cache-store.js'

/** How old the proof may be that every push has been seen. */
const STALENESS_MS = 2_000
const CONNECT_TIMEOUT_MS = 5_000

/**
 * Wake-ups for waiters from the pushes of Redis: an entry that changed, a wake key that was written, or a reset. It holds the tracking
 * sessions, one a master, on connections of their own.
 */
export class RedisWakes implements WakeSource {
  private source: TrackingSource | null = null
  private stopWatching: () => void = () => undefined
  private readonly listeners = new Set<(key: string | null) => void>()

  /** @param warn told once when the server refuses tracking, with what mends it */
  constructor(
    private readonly connection: RedisConnection,
    private readonly keyspace: Keyspace,
    private readonly warn: (message: string) => void,
    private readonly clock: Clock = systemClock,
    private readonly random: RandomSource = systemRandom,
  ) {}

  /** Begins to open the sessions; the connection must have begun to connect. */
  start(): void {
    if (this.source !== null) return
    const source = new TrackingSource(() => this.connection.masters(), {
      prefixes: this.keyspace.trackedPrefixes,
      clock: this.clock,
      random: this.random,
      stalenessMs: STALENESS_MS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      name: 'vextrus-tracking',
      warn: this.warn,
    })
    source.listen({ invalidate: (redisKey) => this.pushed(redisKey), reset: () => this.tell(null) })
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
    return this.source?.live ?? false
  }

  listen(listener: (key: string | null) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  close(): void {
    this.stopWatching()
    this.source?.close()
    this.source = null
  }

  private pushed(redisKey: string): void {
    const key = this.keyspace.keyOfEntry(redisKey) ?? this.keyspace.keyOfWake(redisKey)
    if (key !== undefined) this.tell(key)
  }

  private tell(key: string | null): void {
    for (const listener of this.listeners) listener(key)
  }
}
