import { type Clock, systemClock } from '../kernel/clock.js'
import { CoherentMap, type InvalidationSource, type Kept, type Ticket } from '../kernel/coherent-map.js'
import { JwtClaimsError, JwtUnavailableError } from './errors.js'
import { jwtRefused, jwtRevoked } from './events.js'
import type { JwtStore, MarkEnd } from './jwt-store.js'
import { KnownTokens } from './known-tokens.js'
import { type JwtBlacklistOptions, type ResolvedJwtOptions, resolveJwtOptions } from './options.js'
import { ownWrite } from './own-write.js'
import { type Asked, type Question, questionsOf, type Reason } from './questions.js'
import { expOf, isSeconds, isToken, jtiMark, LONGEST_TOKEN, textOf, tokenMark, userMark } from './token-marks.js'

/** The claims of a token whose signature was verified: those that it can be revoked by, among any others. Times are seconds since 1970. */
export interface JwtClaims {
  readonly jti?: string | undefined
  readonly sub?: string | undefined
  readonly iat?: number | undefined
  readonly exp?: number | undefined
  readonly [claim: string]: unknown
}

/** What a blacklist takes from its surroundings. */
export interface JwtSurroundings {
  readonly clock?: Clock | undefined
  /** How old the proof may be that every revocation has been heard, ms. @default 2_000 */
  readonly stalenessMs?: number | undefined
}

/**
 * Tokens that are not valid any more although their signature and `exp` say so: one by one, or all of a user that were issued until now.
 *
 * A check costs nothing but a look into memory while it is proven that every revocation of every process has been heard (kernel/coherent-map.ts),
 * else one round trip. It fails closed: where nobody knows, the token is not accepted.
 *
 * @example
 * ```ts
 * await blacklist.revoke({ jti: claims.jti, exp: claims.exp })    // log out
 * await blacklist.revokeAllForUser(userId)                        // log out everywhere
 * if (await blacklist.isRevoked(claims)) throw new UnauthorizedException()
 * ```
 */
export class JwtBlacklistService {
  private readonly options: ResolvedJwtOptions
  private readonly clock: Clock
  private readonly stalenessMs: number
  private near: CoherentMap<Answer> | undefined
  private known: KnownTokens<Answer> | undefined
  /** What `near` hears of. */
  private heard: InvalidationSource | undefined
  private closed = false

  /** @param store where the revocations are; asked for at the first call @throws ConfigurationError, InvalidDurationError */
  constructor(
    private readonly store: () => JwtStore,
    options: JwtBlacklistOptions = {},
    { clock = systemClock, stalenessMs = 2_000 }: JwtSurroundings = {},
  ) {
    this.options = resolveJwtOptions(options)
    this.clock = clock
    this.stalenessMs = stalenessMs
  }

  /**
   * Whether a token is revoked: by its `jti`, its family, or as one of a user's that were issued before a time; with `token`, also as a whole.
   *
   * What can't be revoked is as good as revoked: claims with neither `jti` nor `sub` nor family, without the token itself; an id in them that is
   * neither a text nor a number; and a token whose `exp` is over by more than `jwt.skew`, for its revocation is not kept any longer.
   * @param claims of a token whose signature was verified
   * @param token as it was presented, without `Bearer`
   * @throws JwtUnavailableError nobody knows, and `jwt.onUnavailable` is `'throw'`
   */
  isRevoked(claims: JwtClaims, token?: string): Promise<boolean> {
    const verdict = isClaims(claims) ? this.known?.find(claims, token, this.clock.mono()) : undefined
    if (verdict === undefined || this.isOver(claims)) return this.judge(claims, token)
    return verdict.by === undefined ? PASSED : Promise.resolve(refused(verdict.by))
  }

  private async judge(claims: JwtClaims, token: string | undefined): Promise<boolean> {
    if (this.isOver(claims)) return refused('expired')
    if (!isClaims(claims)) return refused('claims')
    const asked = this.askedOf(claims, token)
    const questions = questionsOf(asked)
    if (questions.length === 0) return refused('claims')
    const { near } = this
    const now = this.clock.mono()
    const missing: Question[] = []
    const standing: Kept<Answer>[] = []
    for (const question of questions) {
      const { mark, by, revokes } = question
      const found = near?.find(mark, now)
      if (found === undefined) missing.push(question)
      else if (revokes(found.value.value)) {
        this.known?.add(asked, by, [found])
        return refused(by)
      } else standing.push(found)
    }
    if (missing.length === 0) {
      this.known?.add(asked, undefined, standing)
      return false
    }
    try {
      const found = await this.read(missing)
      const revoking = missing.find(({ revokes }, i) => revokes(found[i]!))
      return revoking !== undefined && refused(revoking.by)
    } catch (error) {
      const { onUnavailable } = this.options
      if (!(error instanceof JwtUnavailableError) || onUnavailable === 'throw') throw error
      return onUnavailable === 'deny'
    }
  }

  /**
   * Revokes a token by its `jti`, until its `exp` and `jwt.skew`; without `exp` for `jwt.maxAge`. An earlier end than was said before changes
   * nothing, so that nobody can shorten a revocation. @throws JwtUnavailableError it may not be revoked: say it again; JwtClaimsError
   */
  async revoke({ jti, exp }: Pick<JwtClaims, 'jti' | 'exp'>): Promise<void> {
    const id = textOf(jti)
    if (id === undefined) throw new JwtClaimsError('a token without `jti` is revoked by revokeToken')
    await this.mark(jtiMark(id), this.endOf(exp))
    jwtRevoked.publish(() => ({ by: 'jti' }))
  }

  /**
   * Revokes a token as a whole, by its SHA-256, until its `exp` and `jwt.skew`; without `exp` for `jwt.maxAge`. Only checks that are given the token
   * see it, as those of the guard are. Its signature is not verified here: do so before, or anybody can fill your Redis. @throws as {@link revoke}
   */
  async revokeToken(jwt: string): Promise<void> {
    if (!isToken(jwt)) {
      throw new JwtClaimsError(
        `a token is a text of 1 to ${LONGEST_TOKEN} characters without spaces; leave out \`Bearer\``,
      )
    }
    await this.mark(tokenMark(jwt), this.endOf(expOf(jwt)))
    jwtRevoked.publish(() => ({ by: 'token' }))
  }

  /**
   * Revokes all tokens of a user that were issued up to a time, that second included: `iat` knows no smaller step, so whoever logs in again gets a
   * token in the next second. With `tenantId`, those of that tenant alone.
   * @param options.before a Date, or seconds since 1970. Default: now, on the store's clock: who issues tokens must have the same time to a second,
   * else give its time here
   * @returns the second up to which they are revoked: a later one that was said before stays
   * @throws as {@link revoke}
   */
  async revokeAllForUser(
    sub: string,
    { tenantId, before }: { readonly tenantId?: string | undefined; readonly before?: Date | number | undefined } = {},
  ): Promise<number> {
    const [user, tenant] = [textOf(sub), textOf(tenantId)]
    if (user === undefined) throw new JwtClaimsError('a user without `sub` has no tokens')
    // All of the user's tokens are not meant by who gives a tenant that is none.
    if (tenant === undefined && tenantId !== undefined) throw new JwtClaimsError('`tenantId` is a text, or left out')
    const mark = userMark(user, tenant)
    const reached = await this.write(mark, () => this.store().markBefore(mark, secondOf(before), this.keepMs))
    jwtRevoked.publish(() => ({ by: 'user' }))
    return reached
  }

  /** @internal A mark that this process writes by another way: R17, as of an own revocation. */
  forget(mark: string): void {
    this.near?.invalidate(mark)
  }

  /** Stops listening. The store belongs to whoever made it. */
  close(): void {
    this.closed = true
    this.near?.close()
    this.near = undefined
    this.known = undefined
  }

  private askedOf(claims: JwtClaims, token: string | undefined): Asked {
    const { jti, sub, iat, [this.options.tenantClaim]: tenant, [this.options.familyClaim]: family } = claims
    return { jti, sub, iat, tenant, family, token }
  }

  /** On this process's clock, as whoever verified the token has looked at `exp`. One that is ahead by more than `skew` refuses too much. */
  private isOver(claims: JwtClaims): boolean {
    const exp: unknown = (claims as JwtClaims | null)?.exp
    return typeof exp === 'number' && this.clock.wall() > exp * 1_000 + this.options.skewMs
  }

  private async read(questions: readonly Question[]): Promise<readonly (string | null)[]> {
    const near = this.map()
    const tickets: (Ticket | undefined)[] = questions.map(({ mark }) => near?.ticket(mark))
    try {
      const found = await this.store().read(questions.map(({ mark }) => mark))
      questions.forEach(({ mark }, i) => {
        const { value, redirected } = found[i]!
        // R20: which server answered what was redirected nobody can say.
        if (redirected !== true) near?.put(mark, { value }, tickets[i]!, mark.length + ENTRY_BYTES, KEPT_MS)
      })
      return found.map(({ value }) => value)
    } finally {
      for (const ticket of tickets) ticket?.close()
    }
  }

  private mark(mark: string, end: MarkEnd): Promise<void> {
    return this.write(mark, () => this.store().mark(mark, end))
  }

  private write<T>(mark: string, run: () => Promise<T>): Promise<T> {
    return ownWrite(() => this.forget(mark), run)
  }

  private map(): CoherentMap<Answer> | undefined {
    const { nearEntries: maxEntries } = this.options
    if (maxEntries === 0 || this.closed) return undefined
    const { changes: source } = this.store()
    // A store that stood in while the application was starting is another one.
    if (this.near !== undefined && this.heard === source) return this.near
    this.near?.close()
    this.heard = source
    const maxBytes = maxEntries * (ENTRY_BYTES + 128)
    this.near = new CoherentMap({ source, clock: this.clock, maxBytes, maxEntries, stalenessMs: this.stalenessMs })
    this.known = new KnownTokens(this.near, maxBytes, this.options)
    return this.near
  }

  private endOf(exp: number | undefined): MarkEnd {
    if (exp === undefined) return { inMs: this.keepMs }
    if (!isSeconds(exp)) throw new JwtClaimsError('`exp` is seconds since 1970')
    return { atMs: Math.ceil(exp * 1_000) + this.options.skewMs }
  }

  /** For as long as a token of now may be accepted. */
  private get keepMs(): number {
    return this.options.maxAgeMs + this.options.skewMs
  }
}

/** What stands at a mark. */
interface Answer {
  readonly value: string | null
}

/** What an answer weighs in memory beside its mark. */
const ENTRY_BYTES = 200
/** Answers are proven fresh for as long as they are kept; but where tracking is refused, nobody tells of what Redis itself or others have dropped. */
const KEPT_MS = 600_000

function isClaims(claims: unknown): claims is JwtClaims {
  return typeof claims === 'object' && claims !== null
}

/** One for all: a promise costs as much as the check. */
const PASSED = Promise.resolve(false)

function secondOf(before: Date | number | undefined): number | null {
  if (before === undefined) return null
  const second = before instanceof Date ? Math.floor(before.getTime() / 1_000) : before
  if (Number.isInteger(second) && isSeconds(second)) return second
  throw new JwtClaimsError('`before` is a Date, or whole seconds since 1970, not milliseconds')
}

function refused(by: Reason | 'claims' | 'expired'): true {
  jwtRefused.publish(() => ({ by }))
  return true
}
