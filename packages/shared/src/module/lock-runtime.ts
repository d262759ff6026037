import type { InjectionToken } from '@nestjs/common'
import {
  LockEngine,
  type LockOptions,
  type LockStore,
  type LockSurroundings,
  LockUnavailableError,
  RedisLockService,
  RedisReadWriteLock,
  RedisSemaphore,
} from '../lock/index.js'
import { getVextrusToken } from '../nest/tokens.js'
import { warnOfEviction } from './eviction-check.js'
import type { OnDemandRedis } from './on-demand-redis.js'

/** The services that the locks of a `forRoot` are offered as. They share one engine. */
export const LOCK_SERVICES = [RedisLockService, RedisSemaphore, RedisReadWriteLock] as const

/** What a {@link LockRuntime} is made of. */
export interface LockRuntimeParts {
  /** The `forRoot` it belongs to. */
  readonly name: string
  readonly options: LockOptions | undefined
  readonly surroundings: LockSurroundings
  /** Undefined: the driver is `'memory'`. */
  readonly redis: OnDemandRedis | undefined
  /** Where this connection keeps locks; called once. */
  readonly makeStore: () => LockStore
  /** The connection that this one's locks live on, `use.lock`; undefined: its own. */
  readonly livesOn: string | undefined
  /** The locks of another connection; undefined: Nest has not made it yet. */
  readonly other: (name: string) => LockRuntime | undefined
  readonly warn: (message: string) => void
}

/**
 * The locks of one `forRoot`, from boot to shutdown: an engine for its services, on its own storage or on that of the connection that
 * `use.lock` names; and its own storage, for the engines of those that name it.
 */
export class LockRuntime {
  private readonly engine: LockEngine
  private readonly provided = new Set<InjectionToken>()
  private readonly lodgers = new Set<LockRuntime>()
  private storage: LockStore | undefined
  private home: LockRuntime | undefined
  private opening: Promise<void> | undefined
  private ending: Promise<void> | undefined

  /** Opens nothing. @throws ConfigurationError, InvalidDurationError */
  constructor(private readonly parts: LockRuntimeParts) {
    this.engine = new LockEngine(() => this.whereItLives(), parts.options, parts.surroundings)
  }

  /** What Nest injects; not asked for where a test has put something in its place. */
  service<Service>(type: new (engine: LockEngine) => Service): Service {
    this.provided.add(getVextrusToken(type, this.parts.name))
    return new type(this.engine)
  }

  /** The tokens under which locks of this connection were made. */
  get tokens(): ReadonlySet<InjectionToken> {
    return this.provided
  }

  /** Connects, before the application serves, to where the locks live. Nothing with memory. @throws MissingPeerError */
  async start(): Promise<void> {
    await this.found()?.open()
  }

  /** What is held gets a moment to be given back. The storage goes with its connection, after all that lives on it. */
  async close(): Promise<void> {
    await Promise.all([...this.lodgers, this].map((runtime) => runtime.end()))
  }

  private end(): Promise<void> {
    this.ending ??= this.engine.close()
    return this.ending
  }

  private open(): Promise<void> {
    const { redis, warn } = this.parts
    this.opening ??=
      redis === undefined ? Promise.resolve() : redis.connect().then(() => warnOfEviction(redis.connection, warn))
    return this.opening
  }

  private get store(): LockStore {
    this.storage ??= this.parts.makeStore()
    return this.storage
  }

  private whereItLives(): LockStore {
    return this.found()?.store ?? notMadeYet(this.parts.livesOn!)
  }

  private found(): LockRuntime | undefined {
    if (this.home === undefined) {
      const { livesOn, other } = this.parts
      this.home = livesOn === undefined ? this : other(livesOn)
      this.home?.lodgers.add(this)
    }
    return this.home
  }
}

/** While the application is made. Who waits for a lock asks again. */
function notMadeYet(name: string): LockStore {
  const fail = async (): Promise<never> => {
    const message = `locks live on the connection '${name}', which is not made yet; ask for them later`
    throw new LockUnavailableError(message, { unsent: true })
  }
  return { acquire: fail, extend: fail, release: fail, listen: fail }
}
