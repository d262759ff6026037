import {
  type SessionOptions,
  SessionService,
  type SessionStore,
  type SessionSurroundings,
  SessionUnavailableError,
} from '../session/index.js'
import { MemorySessionStore } from '../session/stores/memory.js'
import { type Home, Lodging, type LodgingPlace } from './capability-home.js'

/** The sessions of one `forRoot`: its service. */
export class SessionRuntime extends Lodging<SessionStore> {
  readonly capability = 'session'
  private made: SessionService | undefined

  /** Opens nothing. */
  constructor(
    place: LodgingPlace,
    private readonly options: SessionOptions,
    private readonly surroundings: SessionSurroundings,
  ) {
    super(place)
  }

  /** What Nest injects; not asked for where a test has put something in its place. */
  get service(): SessionService {
    this.provide(SessionService)
    this.made ??= new SessionService(() => this.store, this.options, this.surroundings)
    return this.made
  }

  protected storeAt({ redis, hub, keyPrefix }: Home): SessionStore {
    return redis?.sessions(this.options.encryption === undefined) ?? new MemorySessionStore(hub(), keyPrefix)
  }

  protected failing(where: string): SessionStore {
    const fail = async (): Promise<never> => {
      throw new SessionUnavailableError(`sessions live ${where}; ask for them later`)
    }
    return {
      ...{ create: fail, read: fail, write: fail, put: fail },
      ...{ rotate: fail, destroy: fail, list: fail, destroyAll: fail },
    }
  }

  /** A session belongs to its user, not to this process: it stays. */
  protected async close(): Promise<void> {}
}
