import { type Clock, systemClock } from '../kernel/clock.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { givenPort, type IoredisEnvironment, type IoredisPort, ownedPort, sentinelId } from './adapters/ioredis.js'
import { clusterTools, givenCluster } from './adapters/ioredis-cluster.js'
import type { RedisClientLike } from './client.js'
import { ClusterServers, type ClusterTools } from './cluster-servers.js'
import { type RedisConnectionOptions, type ResolvedRedisOptions, resolveOptions } from './options.js'
import { Outages, type RedisLogger, unavailable } from './outages.js'
import type { Door, Master, Servers, ServersEvents } from './servers.js'
import { SingleServer } from './single-server.js'
import type { Layout, Shard, ShardSession, Topology, Unit, UnitOutcome } from './topology.js'

export type { RedisLogger } from './outages.js'

/**
 * A connection to Redis: opened lazily, kept for ever, with a deadline on every command. Nothing here throws because Redis is away; what
 * can't be answered rejects with RedisUnavailableError, and the connection comes back by itself.
 *
 * ```ts
 * const connection = new RedisConnection({ url: process.env.REDIS_URL })
 * await connection.ready()
 * await connection.close()
 * ```
 */
export class RedisConnection implements Topology {
  /** How long an answer is waited for, in ms: the option `commandTimeout`. */
  readonly commandTimeoutMs: number

  /** See {@link Topology.sharded}. */
  readonly sharded: boolean

  private readonly clock: Clock
  private readonly servers: Servers
  private readonly outages: Outages
  private readonly sessionListeners = new Set<(session: ShardSession | undefined) => void>()
  private readonly moveListeners = new Set<(reason: string) => void>()
  private readonly waiting = new Set<Waiting>()
  private opening: Promise<void> | undefined
  private closed = false

  /** @throws ConfigurationError, InvalidDurationError for options that can't be used */
  constructor(options: RedisConnectionOptions = {}, environment: RedisEnvironment = {}) {
    const resolved = resolveOptions(options)
    this.clock = environment.clock ?? systemClock
    this.outages = new Outages(this.clock, environment.logger ?? WARNINGS)
    this.commandTimeoutMs = resolved.commandTimeoutMs
    this.servers = serversOf(
      resolved,
      { clock: this.clock, random: environment.random ?? systemRandom },
      {
        session: (session) => this.tellSession(session),
        moved: (reason) => this.tellMoved(reason),
        up: (id, version) => this.up(id, version),
        down: (id, cause) => this.down(id, cause),
        gone: (id) => this.outages.gone(id),
      },
    )
    this.sharded = this.servers.sharded
  }

  /** `host:port` or the socket path; of a Cluster the first of its `nodes`; with Sentinels the name of the master. */
  get id(): string {
    return this.servers.id
  }

  get status(): RedisStatus {
    if (this.closed) return 'closed'
    const { state } = this.servers
    if (state !== 'connecting') return state
    if (this.outages.any) return 'unavailable'
    return this.opening === undefined ? 'idle' : 'connecting'
  }

  /**
   * The raw ioredis client, for commands that the toolkit does not have. It has no offline queue and knows nothing of our deadline. Undefined
   * before {@link connect} has resolved, unless you gave it.
   *
   * With `cluster` it is an ioredis Cluster with its usual options, that connects at its first command; the toolkit itself does not use it.
   */
  get client(): RedisClientLike | undefined {
    return this.servers.client
  }

  /** Begins to connect, and goes on trying until {@link close}. Resolves at once, connected or not. @throws MissingPeerError no ioredis */
  connect(): Promise<void> {
    this.opening ??= this.servers.open()
    return this.opening
  }

  /**
   * Connects, and resolves when commands can be sent.
   * @throws RedisUnavailableError the attempt under way has failed; the message names the option that mends it, `cause` says how it failed
   */
  async ready(): Promise<void> {
    await this.connect()
    if (this.status === 'ready') return
    if (this.closed) throw unavailable(this.id, new Error('it was closed'))
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        resolve: () => done(resolve),
        reject: (cause) => done(() => reject(unavailable(this.id, cause))),
      }
      const timer = this.clock.timer(READY_TIMEOUT_MS, () =>
        waiting.reject(new Error(`no answer within ${READY_TIMEOUT_MS} ms`)),
      )
      const done = (settle: () => void): void => {
        timer.cancel()
        this.waiting.delete(waiting)
        settle()
      }
      this.waiting.add(waiting)
    })
  }

  shardOf(key: string): Shard | undefined {
    return this.servers.shardOf(key)
  }

  shards(): readonly Shard[] {
    return this.servers.shards()
  }

  exec(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    return this.servers.exec(units)
  }

  layout(): Promise<Layout> {
    return this.servers.layout()
  }

  /**
   * Each master with the door to it: what tracking sessions are opened on. The same array as long as the masters are the same; empty before
   * {@link connect}.
   */
  masters(): readonly Master[] {
    return this.servers.masters()
  }

  /** Where a `Subscriber` opens its connection: at the master, on a Cluster at any of them. */
  get door(): Door {
    return {
      id: this.id,
      dedicated: (options) => this.servers.door.dedicated(options),
    }
  }

  /** Calls back when a session of a master begins, ends (undefined), or has another epoch (R16, R20). Answers the way to stop. */
  onSession(listener: (session: ShardSession | undefined) => void): () => void {
    this.sessionListeners.add(listener)
    return () => this.sessionListeners.delete(listener)
  }

  /** Calls back when masters came or went or slots are elsewhere (R20); {@link masters} tells the news already. Answers the way to stop. */
  onMoved(listener: (reason: string) => void): () => void {
    this.moveListeners.add(listener)
    return () => this.moveListeners.delete(listener)
  }

  /** Ends the connection; a client that you gave stays open. What is under way rejects. Nothing is left that keeps the process alive. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    for (const waiting of this.waiting) waiting.reject(new Error('it was closed'))
    await this.servers.close()
    this.sessionListeners.clear()
    this.moveListeners.clear()
  }

  /** For `util.inspect` and so `console.log`: the options may hold a password. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `RedisConnection { ${this.id}, ${this.status} }`
  }

  private up(id: string, version: string | undefined): void {
    this.outages.up(id, version)
    if (this.waiting.size > 0 && this.status === 'ready') for (const waiting of this.waiting) waiting.resolve()
  }

  private down(id: string, cause: Error): void {
    this.outages.down(id, cause)
    for (const waiting of this.waiting) waiting.reject(unavailable(id, cause))
  }

  private tellSession(session: ShardSession | undefined): void {
    for (const listener of this.sessionListeners) listener(session)
  }

  private tellMoved(reason: string): void {
    for (const listener of this.moveListeners) listener(reason)
  }
}

/** `idle` before the first use; `unavailable` while commands fail; it becomes `ready` again by itself. */
export type RedisStatus = 'idle' | 'connecting' | 'ready' | 'unavailable' | 'closed'

/** What a connection takes from its surroundings; tests inject their own. */
export interface RedisEnvironment {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  /** @default warnings of the process, and nothing else */
  readonly logger?: RedisLogger | undefined
}

interface Waiting {
  resolve(): void
  reject(cause: Error): void
}

const READY_TIMEOUT_MS = 10_000

const WARNINGS: RedisLogger = {
  warn: (message) => process.emitWarning(message, 'VextrusRedisWarning'),
  log: () => undefined,
  debug: () => undefined,
}

/** The servers that the options name. @throws ConfigurationError a given client can't be worked with */
function serversOf(
  options: ResolvedRedisOptions,
  environment: Required<IoredisEnvironment>,
  on: ServersEvents,
): Servers {
  const { client, address, sentinels, commandTimeoutMs: timeoutMs } = options
  // A client that can't be used is refused now, not at the first command.
  const given = client?.isCluster === true ? givenCluster(client) : undefined
  const cluster = given ?? options.cluster
  if (cluster !== undefined) {
    const makeTools = (): Promise<ClusterTools> => clusterTools(cluster, environment)
    const { seeds, natMap } = cluster
    return new ClusterServers({ ...environment, seeds, natMap, timeoutMs, client: given && client, makeTools }, on)
  }
  const port = client === undefined ? undefined : givenPort(client, environment)
  const makePort = (): Promise<IoredisPort> => ownedPort({ ...address, sentinels }, environment)
  const name = sentinels === undefined ? `${address.host}:${address.port}` : sentinelId(sentinels.name)
  const movable = sentinels !== undefined
  return new SingleServer(name, port, { clock: environment.clock, timeoutMs, movable, makePort }, on)
}
