import { type Clock, systemClock } from '../kernel/clock.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { givenPort, type IoredisPort, ownedPort } from './adapters/ioredis.js'
import type { RedisClientLike, RedisPort } from './client.js'
import { mendOf, RedisUnavailableError } from './errors.js'
import { redisConnected, redisLost } from './events.js'
import { MasterWatch } from './master-watch.js'
import { type RedisConnectionOptions, type ResolvedRedisOptions, resolveOptions } from './options.js'
import { RedisShard } from './shard.js'
import type { Shard, ShardSession, Topology } from './topology.js'

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

  private readonly options: ResolvedRedisOptions
  private readonly clock: Clock
  private readonly random: RandomSource
  private readonly logger: RedisLogger
  private readonly shard: RedisShard
  private readonly sessionListeners = new Set<(session: ShardSession | undefined) => void>()
  private readonly waiting = new Set<Waiting>()
  private opening: Promise<void> | undefined
  private port: IoredisPort | undefined
  private watch: MasterWatch | undefined
  private outage: Outage | undefined
  private closed = false

  /** @throws ConfigurationError, InvalidDurationError for options that can't be used */
  constructor(options: RedisConnectionOptions = {}, environment: RedisEnvironment = {}) {
    this.options = resolveOptions(options)
    this.clock = environment.clock ?? systemClock
    this.random = environment.random ?? systemRandom
    this.logger = environment.logger ?? WARNINGS
    this.commandTimeoutMs = this.options.commandTimeoutMs
    const { client, address } = this.options
    // A client that can't be used is refused now, not at the first command.
    if (client !== undefined) this.port = givenPort(client, { clock: this.clock })
    this.shard = new RedisShard(this.port?.id ?? `${address.host}:${address.port}`, this.clock, this.commandTimeoutMs)
  }

  /** `host:port` or the socket path. */
  get id(): string {
    return this.shard.id
  }

  get status(): RedisStatus {
    if (this.closed) return 'closed'
    if (this.shard.session !== undefined) return this.shard.circuit === 'closed' ? 'ready' : 'unavailable'
    if (this.outage !== undefined) return 'unavailable'
    return this.opening === undefined ? 'idle' : 'connecting'
  }

  /**
   * The raw ioredis client, for commands that the toolkit does not have. It has no offline queue and knows nothing of our deadline.
   * Undefined before {@link connect} has resolved, unless you gave it.
   */
  get client(): RedisClientLike | undefined {
    return this.port?.client
  }

  /** Begins to connect, and goes on trying until {@link close}. Resolves at once, connected or not. @throws MissingPeerError no ioredis */
  connect(): Promise<void> {
    this.opening ??= this.open()
    return this.opening
  }

  /**
   * Connects, and resolves when commands can be sent.
   * @throws RedisUnavailableError the attempt under way has failed; the message names the option that mends it, `cause` says how it failed
   */
  async ready(): Promise<void> {
    await this.connect()
    if (this.status === 'ready') return
    if (this.closed) throw this.unavailable(new Error('it was closed'))
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        resolve: () => done(resolve),
        reject: (cause) => done(() => reject(this.unavailable(cause))),
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

  shardOf(_key: string): Shard {
    return this.shard
  }

  shards(): readonly Shard[] {
    return [this.shard]
  }

  /** Each master with the client that leads to it: what tracking sessions and subscribers are opened on. Empty before {@link connect}. */
  masters(): readonly { readonly port: RedisPort; readonly shard: Shard }[] {
    return this.port === undefined ? [] : [{ port: this.port, shard: this.shard }]
  }

  /** Calls back when a session begins, ends (undefined), or has another epoch (R16, R20). Answers the way to stop. */
  onSession(listener: (session: ShardSession | undefined) => void): () => void {
    this.sessionListeners.add(listener)
    return () => this.sessionListeners.delete(listener)
  }

  /** Ends the connection; a client that you gave stays open. What is under way rejects. Nothing is left that keeps the process alive. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    for (const waiting of this.waiting) waiting.reject(new Error('it was closed'))
    this.watch?.stop()
    // A client that is still being made would otherwise be left open.
    await this.opening?.catch(() => undefined)
    await this.port?.close()
    const had = this.shard.session !== undefined
    this.shard.close()
    if (had) this.tellSession(undefined)
    this.sessionListeners.clear()
  }

  /** For `util.inspect` and so `console.log`: the options may hold a password. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `RedisConnection { ${this.id}, ${this.status} }`
  }

  private async open(): Promise<void> {
    this.port ??= await ownedPort(this.options.address, { clock: this.clock, random: this.random })
    if (this.closed) return
    this.watch = new MasterWatch(this.port, this.shard, this.clock, {
      session: (session) => this.tellSession(session),
      up: (version) => this.up(version),
      down: (cause) => this.down(cause),
    })
    this.watch.start()
  }

  private up(version: string | undefined): void {
    const { outage } = this
    this.outage = undefined
    if (outage !== undefined) {
      const awayMs = Math.round(this.clock.mono() - outage.since)
      this.logger.log(`Redis at ${this.id} is back after ${awayMs} ms`)
      redisConnected.publish(() => ({ id: this.id, awayMs }))
    } else if (version !== undefined) {
      this.logger.debug(`Connected to ${version} at ${this.id}`)
      redisConnected.publish(() => ({ id: this.id, awayMs: undefined }))
    }
    for (const waiting of this.waiting) waiting.resolve()
  }

  private down(cause: Error): void {
    if (this.outage === undefined) {
      this.outage = { since: this.clock.mono(), told: new Set() }
      redisLost.publish(() => ({ id: this.id, cause }))
    }
    // Each fact once an outage: the server is away, and later perhaps that it is back but refuses the password.
    const fact = mendOf(cause) || cause.name
    if (!this.outage.told.has(fact)) {
      this.outage.told.add(fact)
      this.logger.warn(`${this.unavailable(cause).message}. Carrying on without it; it is tried again all the time`)
    }
    for (const waiting of this.waiting) waiting.reject(cause)
  }

  private tellSession(session: ShardSession | undefined): void {
    for (const listener of this.sessionListeners) listener(session)
  }

  private unavailable(cause: Error): RedisUnavailableError {
    return cause instanceof RedisUnavailableError
      ? cause
      : new RedisUnavailableError(this.id, 'not-connected', { cause })
  }
}

/** `idle` before the first use; `unavailable` while commands fail; it becomes `ready` again by itself. */
export type RedisStatus = 'idle' | 'connecting' | 'ready' | 'unavailable' | 'closed'

/** Where a connection reports; a Nest `Logger` fits. Each fact is told once an outage; no message holds a password or a value. */
export interface RedisLogger {
  warn(message: string): void
  log(message: string): void
  debug(message: string): void
}

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

interface Outage {
  readonly since: number
  readonly told: Set<string>
}

const READY_TIMEOUT_MS = 10_000

const WARNINGS: RedisLogger = {
  warn: (message) => process.emitWarning(message, 'VextrusRedisWarning'),
  log: () => undefined,
  debug: () => undefined,
}
