import {
  type JwtBlacklistOptions,
  JwtBlacklistService,
  type JwtStore,
  type JwtSurroundings,
  JwtUnavailableError,
  RefreshTokenFamilies,
} from '../jwt/index.js'
import { resolveJwtOptions } from '../jwt/options.js'
import { MemoryJwtStore } from '../jwt/stores/memory.js'
import { type Home, Lodging, type LodgingPlace } from './capability-home.js'

/** The revoked tokens of one `forRoot`: the blacklist, and the families of refresh tokens. They share one store. */
export class JwtRuntime extends Lodging<JwtStore> {
  readonly capability = 'jwt'
  /** Answers are kept in memory, so every revocation must be heard. */
  private readonly heard: boolean
  private madeBlacklist: JwtBlacklistService | undefined
  private madeFamilies: RefreshTokenFamilies | undefined

  /** Opens nothing. @throws ConfigurationError, InvalidDurationError */
  constructor(
    place: LodgingPlace,
    private readonly options: JwtBlacklistOptions,
    private readonly surroundings: JwtSurroundings,
  ) {
    super(place)
    this.heard = resolveJwtOptions(options).nearEntries > 0
  }

  /** What Nest injects; not asked for where a test has put something in its place. */
  get blacklist(): JwtBlacklistService {
    this.provide(JwtBlacklistService)
    this.madeBlacklist ??= new JwtBlacklistService(() => this.store, this.options, this.surroundings)
    return this.madeBlacklist
  }

  /** As {@link blacklist}. */
  get families(): RefreshTokenFamilies {
    this.provide(RefreshTokenFamilies)
    const wrote = (mark: string): void => this.madeBlacklist?.forget(mark)
    this.madeFamilies ??= new RefreshTokenFamilies(() => this.store, this.options, wrote)
    return this.madeFamilies
  }

  /** Also hears of revocations before the application serves, and so before the first answer is kept. */
  override async start(): Promise<void> {
    await super.start()
    if (this.heard) await this.home?.redis?.start()
  }

  protected storeAt({ redis, hub, keyPrefix }: Home): JwtStore {
    return redis?.revocations(this.heard) ?? new MemoryJwtStore(hub(), keyPrefix)
  }

  /** Nobody knows then: each check is answered by `jwt.onUnavailable`. */
  protected failing(where: string): JwtStore {
    const unavailable = (): JwtUnavailableError =>
      new JwtUnavailableError(`revoked tokens live ${where}; ask for them later`)
    const fail = async (): Promise<never> => {
      throw unavailable()
    }
    return {
      // Nothing to listen to, so no answer may be kept.
      get changes(): never {
        throw unavailable()
      },
      ...{ read: fail, mark: fail, markBefore: fail, begin: fail, rotate: fail, end: fail },
    }
  }

  protected async close(): Promise<void> {
    this.madeBlacklist?.close()
  }
}
