import { keySegment } from '../kernel/key-part.js'
import { JwtClaimsError } from './errors.js'
import { jwtRevoked, refreshTokenReused } from './events.js'
import { familyMark, type JwtStore, type Rotation } from './jwt-store.js'
import { type JwtBlacklistOptions, type ResolvedJwtOptions, resolveJwtOptions } from './options.js'
import { ownWrite } from './own-write.js'

/**
 * Families of refresh tokens: each token is used once and replaced by the next. One that was replaced and is presented all the same was stolen, or
 * the one after it was: nobody can tell which, so the family ends, and with it the access tokens that name it (RFC 9700, section 4.14.2).
 *
 * Put the family's id into both kinds of tokens as the claim `fam`, and the token's own as `jti`.
 *
 * @example
 * ```ts
 * await families.begin(family, jti)
 * const { outcome, token } = await families.rotate(claims.fam, claims.jti, randomUUID())
 * if (outcome !== 'rotated' && outcome !== 'repeated') throw new UnauthorizedException()
 * ```
 */
export class RefreshTokenFamilies {
  private readonly options: ResolvedJwtOptions

  /**
   * @param wrote called with a mark that is written, before and after: the blacklist of this process forgets it (R17)
   * @throws ConfigurationError, InvalidDurationError
   */
  constructor(
    private readonly store: () => JwtStore,
    options: JwtBlacklistOptions = {},
    private readonly wrote: (mark: string) => void = () => undefined,
  ) {
    this.options = resolveJwtOptions(options)
  }

  /**
   * A log-in: a family of one token. It is kept for `jwt.maxAge` after its last token; that a user logs in again one day is said by `exp` of the
   * tokens. @param family a new id, such as `randomUUID()` @throws JwtUnavailableError, JwtClaimsError
   */
  async begin(family: string, jti: string): Promise<void> {
    await this.store().begin(idOf(family, 'family'), idOf(jti, 'jti'), this.keepMs)
  }

  /**
   * Replaces the token that was presented, whose signature and `exp` were verified. `'repeated'` within `jwt.refreshGrace`: two requests at once, or a
   * lost answer; `token` is the `jti` that is valid now: answer a token with that one.
   * @throws JwtUnavailableError it may have been replaced: the same call again answers `'repeated'`; JwtClaimsError
   */
  async rotate(family: string, jti: string, nextJti: string): Promise<Rotation> {
    if (jti === nextJti) throw new JwtClaimsError('`nextJti` must be another than `jti`')
    const { refreshGraceMs: graceMs } = this.options
    const of = { family: idOf(family, 'family'), from: idOf(jti, 'jti'), to: idOf(nextJti, 'nextJti') }
    const rotation = await this.write(of.family, () => this.store().rotate({ ...of, ttlMs: this.keepMs, graceMs }))
    if (rotation.outcome === 'reused') refreshTokenReused.publish(() => ({ family }))
    return rotation
  }

  /** A log-out: no token of the family is valid any more. @throws JwtUnavailableError, JwtClaimsError */
  async end(family: string): Promise<void> {
    const id = idOf(family, 'family')
    await this.write(id, () => this.store().end(id, this.keepMs))
    jwtRevoked.publish(() => ({ by: 'family' }))
  }

  /** What may end a family, also when nobody knows whether it has. */
  private write<T>(family: string, run: () => Promise<T>): Promise<T> {
    return ownWrite(() => this.wrote(familyMark(family)), run)
  }

  /** For as long as a token of now may be accepted: also an access token that names the family. */
  private get keepMs(): number {
    return this.options.maxAgeMs + this.options.skewMs
  }
}

function idOf(id: unknown, what: string): string {
  if (typeof id !== 'string' || id === '') throw new JwtClaimsError(`\`${what}\` must be a text`)
  return keySegment(id)
}
