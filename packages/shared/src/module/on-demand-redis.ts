import { RedisPushes } from '../cache/stores/redis-pushes.js'
import { RedisCacheStore } from '../cache/stores/redis.js'
import { type Clock, systemClock } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import type { RandomSource } from '../kernel/random.js'
import { RedisJwtStore } from '../jwt/stores/redis.js'
import { RedisLockStore } from '../lock/stores/redis.js'
import { RedisPubSubStore } from '../pubsub/stores/redis.js'
import { RedisRateLimitStore } from '../rate-limit/stores/redis.js'
import { RedisConnection, type RedisLogger } from '../redis/connection.js'
import { RedisUnavailableError } from '../redis/errors.js'
import type { Keyspace } from '../redis/keyspace.js'
import type { RedisConnectionOptions } from '../redis/options.js'
import type {
  Executed,
  Layout,
  RedisCommand,
  Shard,
  ShardSession,
  Topology,
  Unit,
  UnitOutcome,
} from '../redis/topology.js'
import { RedisSessionStore } from '../session/stores/redis.js'

/** What a connection takes from its surroundings. */
export interface RedisSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  readonly logger: RedisLogger
  /** What becomes of the entries of a master that was replaced. @default 'flush' */
  readonly onFailover?: 'flush' | 'trust' | undefined
  /** How old the proof may be that every push has been seen, ms. @default 2_000 */
  readonly stalenessMs?: number | undefined
}

/**
 * A Redis that is connected to when it is wanted: at boot when something injects it, else at the first command.
 *
 * The first commands wait for the first attempt to connect, within `commandTimeout`, instead of failing while a healthy server is being
 * greeted: an application that has just started would send its first readers to the database. After that attempt nothing waits: commands
 * fail at once while Redis is away, and the connection comes back by itself.
 */
export class OnDemandRedis {
  readonly connection: RedisConnection
  /** The cache's storage here. */
  readonly store: RedisCacheStore
  private readonly pushes: RedisPushes
  private readonly clock: Clock
  private lockStore: RedisLockStore | undefined
  private readonly limitStores = new Map<number, RedisRateLimitStore>()
  private readonly sessionStores = new Map<boolean, RedisSessionStore>()
  private readonly revocationStores = new Map<boolean, RedisJwtStore>()
  private readonly messageStores = new Map<string, RedisPubSubStore>()
  private attempt: Promise<void> | undefined
  private closed = false

  /** Opens nothing. @throws ConfigurationError, InvalidDurationError */
  constructor(
    options: RedisConnectionOptions,
    private readonly keyspace: Keyspace,
    private readonly surroundings: RedisSurroundings,
  ) {
    const { clock, random, logger, onFailover, stalenessMs } = surroundings
    this.clock = clock ?? systemClock
    this.connection = new RedisConnection(options, { clock, random, logger })
    const warn = (message: string): void => logger.warn(message)
    this.pushes = new RedisPushes(this.connection, keyspace, warn, { stalenessMs, clock, random })
    const topology = new WaitingTopology(this.connection, () => this.start())
    const { commandTimeoutMs: deadlineMs } = this.connection
    this.store = new RedisCacheStore(topology, keyspace, this.pushes, { deadlineMs, onFailover, random, clock })
  }

  /** The storage of locks here. Its first call connects, the data connection alone. */
  get locks(): RedisLockStore {
    if (this.lockStore === undefined) {
      const { connection, keyspace, surroundings } = this
      const { clock, random, logger } = surroundings
      const warn = (message: string): void => logger.warn(message)
      const options = { deadlineMs: connection.commandTimeoutMs, warn, clock, random }
      this.lockStore = new RedisLockStore(this.dataTopology(), connection.door, keyspace, options)
    }
    return this.lockStore
  }

  /**
   * The storage of rate limits here, one for each `timeoutMs`: those who live here decide for themselves how long they wait. Connects as
   * {@link locks} does.
   */
  limits(timeoutMs: number): RedisRateLimitStore {
    let store = this.limitStores.get(timeoutMs)
    if (store === undefined) {
      const { connection, keyspace, surroundings } = this
      const { clock, random, logger } = surroundings
      const warn = (message: string): void => logger.warn(message)
      store = new RedisRateLimitStore(this.dataTopology(), connection.door, keyspace, {
        timeoutMs,
        warn,
        clock,
        random,
      })
      this.limitStores.set(timeoutMs, store)
    }
    return store
  }

  /** The storage of sessions here. Connects as {@link locks} does. @param text they are not encrypted */
  sessions(text: boolean): RedisSessionStore {
    let store = this.sessionStores.get(text)
    if (store === undefined) {
      store = new RedisSessionStore(this.dataTopology(), this.keyspace, { text })
      this.sessionStores.set(text, store)
    }
    return store
  }

  /**
   * The storage of revoked tokens here.
   * @param heard whether its changes are listened to: the first call then connects as the cache does, data and pushes, else as {@link locks} does
   */
  revocations(heard: boolean): RedisJwtStore {
    let store = this.revocationStores.get(heard)
    if (store === undefined) {
      const { connection, keyspace, pushes } = this
      const topology = heard ? new WaitingTopology(connection, () => this.start()) : this.dataTopology()
      store = new RedisJwtStore(topology, pushes.sourceOf(keyspace.jwt), keyspace)
      this.revocationStores.set(heard, store)
    }
    return store
  }

  /**
   * The storage of messages here, one for each pair of options. Connects as {@link locks} does; the first who listens opens a connection of its
   * own.
   * @param options.sharded means something on a Cluster alone
   */
  messages({ keepMs, sharded }: { readonly keepMs: number; readonly sharded: boolean }): RedisPubSubStore {
    const name = `${keepMs} ${sharded}`
    let store = this.messageStores.get(name)
    if (store === undefined) {
      const { connection, keyspace, surroundings } = this
      const { clock, random, logger } = surroundings
      store = new RedisPubSubStore(this.dataTopology(), connection.door, keyspace, {
        ...{ keepMs, clock, random },
        sharded: connection.sharded && sharded ? connection : undefined,
        warn: (message) => logger.warn(message),
      })
      this.messageStores.set(name, store)
    }
    return store
  }

  /** Connects for the cache: data and pushes. Resolves when the first attempt has come to something. @throws MissingPeerError */
  start(): Promise<void> {
    this.attempt ??= this.closed ? Promise.resolve() : this.open()
    return this.attempt
  }

  /** Connects the data connection alone. Resolves when the first attempt has come to something. @throws MissingPeerError */
  async connect(): Promise<void> {
    const { id, commandTimeoutMs } = this.connection
    const late = (): Error => new RedisUnavailableError(id, 'deadline', { timeoutMs: commandTimeoutMs })
    try {
      await withDeadline(this.connection.ready(), commandTimeoutMs, this.clock, late)
    } catch (error) {
      // Away is no failure here: the connection says so, once, and goes on trying.
      if (!(error instanceof RedisUnavailableError)) throw error
    }
  }

  async close(): Promise<void> {
    this.closed = true
    this.pushes.close()
    this.lockStore?.close()
    for (const store of [...this.limitStores.values(), ...this.messageStores.values()]) store.close()
    await this.connection.close()
  }

  private dataTopology(): Topology {
    return new WaitingTopology(this.connection, () => this.connect())
  }

  private async open(): Promise<void> {
    await this.connection.connect()
    if (this.closed) return
    this.pushes.start()
    await this.connect()
  }
}

/** A topology whose first commands wait until a connection was tried. */
class WaitingTopology implements Topology {
  readonly sharded: boolean
  private readonly waiting = new Map<Shard, WaitingShard>()
  private attempted = false

  constructor(
    private readonly topology: Topology,
    private readonly attempt: () => Promise<void>,
  ) {
    this.sharded = topology.sharded
  }

  /** On a Cluster none is known before {@link layout} or the first {@link exec}. */
  shardOf(key: string): Shard | undefined {
    const shard = this.topology.shardOf(key)
    return shard && this.wrap(shard)
  }

  shards(): readonly Shard[] {
    return this.topology.shards().map((shard) => this.wrap(shard))
  }

  exec(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    return this.attempted ? this.topology.exec(units) : this.tried().then(() => this.topology.exec(units))
  }

  layout(): Promise<Layout> {
    return this.attempted ? this.topology.layout() : this.tried().then(() => this.topology.layout())
  }

  private readonly tried = async (): Promise<void> => {
    await this.attempt()
    this.attempted = true
  }

  private wrap(shard: Shard): Shard {
    // One that has a session was tried.
    if (this.attempted || shard.session !== undefined) return shard
    let waiting = this.waiting.get(shard)
    if (waiting === undefined) this.waiting.set(shard, (waiting = new WaitingShard(shard, this.tried)))
    return waiting
  }
}

class WaitingShard implements Shard {
  constructor(
    private readonly shard: Shard,
    private readonly tried: () => Promise<void>,
  ) {}

  get id(): string {
    return this.shard.id
  }

  get session(): ShardSession | undefined {
    return this.shard.session
  }

  async exec(commands: readonly RedisCommand[]): Promise<Executed> {
    await this.tried()
    return this.shard.exec(commands)
  }

  serverNow(): number | undefined {
    return this.shard.serverNow()
  }
}
