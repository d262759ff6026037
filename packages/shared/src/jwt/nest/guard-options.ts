import type { ExecutionContext } from '@nestjs/common'
import { ConfigurationError } from '../../kernel/errors.js'
import type { JwtClaims } from '../jwt-blacklist.js'

/** What of `forRoot({ jwt })` the guard takes; the rest stands in `JwtBlacklistOptions`. */
export interface JwtGuardOptions {
  /**
   * The claims of the token whose signature was verified for this request; null or undefined: there is none. What it throws is the answer to the
   * request. Claims that are not those of a verified token must not be answered: the guard believes them.
   * @default the `user` that a guard before has left on the request, or on the client of a web socket, which must have a `jti` or a `sub`
   */
  readonly claimsOf?: ((context: ExecutionContext) => Claims | PromiseLike<Claims>) | undefined
  /**
   * The token itself, for `revokeToken`; null or undefined: there is none. Name here where yours comes from, if that is not the header.
   * @default that of `Authorization: Bearer`
   */
  readonly tokenOf?: ((context: ExecutionContext) => string | null | undefined) | undefined
  /**
   * Which handlers may be called without a token: those for which the function is true, or that have this metadata, on the method or its class,
   * such as `'isPublic'` of `SetMetadata('isPublic', true)`. A token that is there is looked at all the same. @default none
   */
  readonly isPublic?: string | symbol | ((context: ExecutionContext) => boolean) | undefined
}

type Claims = JwtClaims | null | undefined

/** The names of {@link JwtGuardOptions}. */
export const JWT_GUARD_OPTIONS = ['claimsOf', 'tokenOf', 'isPublic'] as const satisfies (keyof JwtGuardOptions)[]

/** What the guards of one connection share: its options. The token under which they find them; without it they have the defaults. */
export class JwtGuardSettings {
  readonly options: JwtGuardOptions
  private told = false

  /** @throws ConfigurationError naming the option as `jwt.<option>` */
  constructor(options: JwtGuardOptions = {}) {
    this.options = checkGuardOptions(options)
  }

  /** True once: for a log line that would else be repeated with every request. */
  isNews(): boolean {
    const { told } = this
    this.told = true
    return !told
  }
}

/**
 * Reads the guard's options; names of other options are not looked at.
 * @throws ConfigurationError naming the option as `jwt.<option>`
 */
export function checkGuardOptions({ claimsOf, tokenOf, isPublic }: JwtGuardOptions): JwtGuardOptions {
  callback(claimsOf, 'claimsOf', 'a function of the context that answers claims')
  callback(tokenOf, 'tokenOf', 'a function of the context that answers a token')
  if (typeof isPublic !== 'symbol' && (typeof isPublic !== 'string' || isPublic === '')) {
    callback(isPublic, 'isPublic', 'a name of metadata, or a function of the context that answers true or false')
  }
  return Object.freeze({ claimsOf, tokenOf, isPublic })
}

function callback(given: unknown, option: string, what: string): void {
  if (given !== undefined && typeof given !== 'function')
    throw new ConfigurationError(`jwt.${option}`, `must be ${what}`)
}
