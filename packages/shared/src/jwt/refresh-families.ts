import { keySegment } from '../kernel/key-part.js'
import { JwtClaimsError } from './errors.js'
import { jwtRevoked, refreshTokenReused } from './events.js'
import type { JwtStore, Rotation } from './jwt-store.js'
import { type JwtBlacklistOptions, type ResolvedJwtOptions, resolveJwtOptions } from './options.js'

/**
 * Families of refresh tokens: each token is used once and replaced by the next. One that was replaced and is presented all the same was stolen, or
 * the one after it was: nobody can tell which, so the family ends, and with it the access tokens that name it (RFC 9700, section 4.14.2).
 *
 * Put the family's id into both kinds of tokens as the claim `fam`, and the token's own as `jti`.
 *
 * @example
 * ```ts
 * await families.begin(family, jti, '30d')
 * const { outcome, token } = await families.rotate(claims.fam, claims.jti, nextJti, '30d')
 * if (outcome !== 'rotated' && outcome !== 'repeated') throw new UnauthorizedException()
 * ```
 */
export class RefreshTokenFamilies {
  private readonly options: ResolvedJwtOptions

  /** @throws ConfigurationError, InvalidDurationError */
  constructor(
    private readonly store: () => JwtStore,
    options: JwtBlacklistOptions = {},
  ) {
    this.options = resolveJwtOptions(options)
  }

  /** A log-in: a family of one token. It lives for `jwt.maxAge` at most. @throws JwtUnavailableError, JwtClaimsError */
  async begin(family: string, jti: string): Promise<void> {
    await this.store().begin(idOf(family, 'family'), idOf(jti, 'jti'), this.options.maxAgeMs)
  }

  /**
   * Replaces the token that was presented. `'repeated'` within `jwt.refreshGrace`: two requests at once, or a lost answer; `token` is the `jti` that
   * is valid now: answer a token with that one.
   * @throws JwtUnavailableError it may have been replaced: the same call again answers `'repeated'`; JwtClaimsError
   */
  async rotate(family: string, jti: string, nextJti: string): Promise<Rotation> {
    const { maxAgeMs: ttlMs, refreshGraceMs: graceMs } = this.options
    const of = { family: idOf(family, 'family'), from: idOf(jti, 'jti'), to: idOf(nextJti, 'nextJti') }
    const rotation = await this.store().rotate({ ...of, ttlMs, graceMs })
    if (rotation.outcome === 'reused') refreshTokenReused.publish(() => ({ family }))
    return rotation
  }

  /** A log-out: no token of the family is valid any more. @throws JwtUnavailableError, JwtClaimsError */
  async end(family: string): Promise<void> {
    await this.store().end(idOf(family, 'family'), this.options.maxAgeMs)
    jwtRevoked.publish(() => ({ by: 'family' }))
  }
}

function idOf(id: unknown, what: string): string {
  if (typeof id !== 'string' || id === '') throw new JwtClaimsError(`\`${what}\` must be a text`)
  return keySegment(id)
}
