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
import { MemoryLockStore } from '../lock/stores/memory.js'
import { type Home, Lodging, type LodgingPlace } from './capability-home.js'

/** The services that the locks of a `forRoot` are offered as. They share one engine. */
export const LOCK_SERVICES = [RedisLockService, RedisSemaphore, RedisReadWriteLock] as const

/** The locks of one `forRoot`: an engine for its services. */
export class LockRuntime extends Lodging<LockStore> {
  readonly capability = 'lock'
  private readonly engine: LockEngine

  /** Opens nothing. @throws ConfigurationError, InvalidDurationError */
  constructor(place: LodgingPlace, options: LockOptions | undefined, surroundings: LockSurroundings) {
    super(place)
    this.engine = new LockEngine(() => this.store, options, surroundings)
  }

  /** What Nest injects; not asked for where a test has put something in its place. */
  service<Service>(type: new (engine: LockEngine) => Service): Service {
    this.provide(type)
    return new type(this.engine)
  }

  protected storeAt({ redis, hub, keyPrefix }: Home): LockStore {
    return redis?.locks ?? new MemoryLockStore(hub(), keyPrefix)
  }

  protected failing(where: string): LockStore {
    const fail = async (): Promise<never> => {
      throw new LockUnavailableError(`locks live ${where}; ask for them later`, { unsent: true })
    }
    return { acquire: fail, extend: fail, release: fail, listen: fail }
  }

  protected close(): Promise<void> {
    return this.engine.close()
  }
}
