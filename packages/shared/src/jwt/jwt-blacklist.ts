import { createHash } from 'node:crypto'
import { type Clock, systemClock } from '../kernel/clock.js'
import { CoherentMap, type Ticket } from '../kernel/coherent-map.js'
import { keySegment } from '../kernel/key-part.js'
import { JwtClaimsError, JwtUnavailableError } from './errors.js'
import { jwtRefused, jwtRevoked } from './events.js'
import { familyMark, type JwtStore, type MarkEnd } from './jwt-store.js'
import { type JwtBlacklistOptions, type ResolvedJwtOptions, resolveJwtOptions } from './options.js'

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
   * Claims that a token can't be revoked by – neither `jti`, nor `sub`, nor the token itself – are as good as revoked.
   * @throws JwtUnavailableError nobody knows, and `jwt.onUnavailable` is `'throw'`
   */
  async isRevoked(claims: JwtClaims, token?: string): Promise<boolean> {
    const questions = this.questionsOf(claims, token)
    if (questions.length === 0) return refused('claims')
    const { near } = this
    const now = this.clock.mono()
    const missing: Question[] = []
    for (const question of questions) {
      const known = near?.get(question.mark, now)
      if (known === undefined) missing.push(question)
      else if (question.revokes(known.value)) return refused(question.by)
    }
    if (missing.length === 0) return false
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
   * Revokes a token by its `jti`, until its `exp`. @throws JwtUnavailableError it may not be revoked: say it again; JwtClaimsError
   */
  async revoke({ jti, exp }: Pick<JwtClaims, 'jti' | 'exp'>): Promise<void> {
    if (typeof jti !== 'string' || jti === '')
      throw new JwtClaimsError('a token without `jti` is revoked by revokeToken')
    await this.mark(`{j:${keySegment(jti)}}`, this.endOf(exp))
    jwtRevoked.publish(() => ({ by: 'jti' }))
  }

  /** Revokes a token as a whole, by its SHA-256, until its `exp`. @throws as {@link revoke} */
  async revokeToken(jwt: string): Promise<void> {
    await this.mark(tokenMark(jwt), this.endOf(expOf(jwt)))
    jwtRevoked.publish(() => ({ by: 'token' }))
  }

  /**
   * Revokes all tokens of a user that were issued up to a time, that second included: `iat` knows no smaller step, so whoever logs in again gets a
   * token in the next second. With `tenantId`, those of that tenant alone.
   * @param options.before a Date, or seconds since 1970. Default: now, on the store's clock
   * @returns the second up to which they are revoked: a later one that was said before stays
   * @throws as {@link revoke}
   */
  async revokeAllForUser(
    sub: string,
    { tenantId, before }: { readonly tenantId?: string | undefined; readonly before?: Date | number | undefined } = {},
  ): Promise<number> {
    if (typeof sub !== 'string' || sub === '') throw new JwtClaimsError('a user without `sub` has no tokens')
    const second = before instanceof Date ? Math.floor(before.getTime() / 1_000) : (before ?? null)
    if (second !== null && !Number.isSafeInteger(second))
      throw new JwtClaimsError('`before` is a Date or whole seconds since 1970')
    const mark = userMark(sub, tenantId)
    this.near?.invalidate(mark)
    const reached = await this.store().markBefore(mark, second, this.options.maxAgeMs)
    this.near?.invalidate(mark)
    jwtRevoked.publish(() => ({ by: 'user' }))
    return reached
  }

  /** Stops listening. The store belongs to whoever made it. */
  close(): void {
    this.closed = true
    this.near?.close()
    this.near = undefined
  }

  private questionsOf(claims: JwtClaims, token: string | undefined): Question[] {
    const { jti, sub, iat } = claims
    const { tenantClaim, familyClaim } = this.options
    const { [tenantClaim]: tenant, [familyClaim]: family } = claims
    const questions: Question[] = []
    if (isText(jti)) questions.push({ mark: `{j:${keySegment(jti)}}`, by: 'jti', revokes: isThere })
    if (isText(token)) questions.push({ mark: tokenMark(token), by: 'token', revokes: isThere })
    if (isText(family)) questions.push({ mark: familyMark(keySegment(family)), by: 'family', revokes: isThere })
    if (isText(sub)) {
      // Without `iat` nobody knows that it is younger.
      const isOld = (value: string | null): boolean =>
        value !== null && !(typeof iat === 'number' && Math.floor(iat) > Number(value))
      questions.push({ mark: userMark(sub, undefined), by: 'user', revokes: isOld })
      if (isText(tenant)) questions.push({ mark: userMark(sub, tenant), by: 'user', revokes: isOld })
    }
    return questions
  }

  private async read(questions: readonly Question[]): Promise<readonly (string | null)[]> {
    const near = this.map()
    const tickets: (Ticket | undefined)[] = questions.map(({ mark }) => near?.ticket(mark))
    try {
      const found = await this.store().read(questions.map(({ mark }) => mark))
      questions.forEach(({ mark }, i) =>
        near?.put(mark, { value: found[i]! }, tickets[i]!, mark.length + ENTRY_BYTES, KEPT_MS),
      )
      return found
    } finally {
      for (const ticket of tickets) ticket?.close()
    }
  }

  private async mark(mark: string, end: MarkEnd): Promise<void> {
    this.near?.invalidate(mark)
    await this.store().mark(mark, end)
    this.near?.invalidate(mark)
  }

  private map(): CoherentMap<Answer> | undefined {
    const { nearEntries: maxEntries } = this.options
    if (this.near !== undefined || maxEntries === 0 || this.closed) return this.near
    this.near = new CoherentMap({
      source: this.store().changes,
      clock: this.clock,
      maxBytes: maxEntries * (ENTRY_BYTES + 128),
      maxEntries,
      stalenessMs: this.stalenessMs,
    })
    return this.near
  }

  private endOf(exp: number | undefined): MarkEnd {
    const { skewMs, maxAgeMs } = this.options
    if (exp === undefined) return { inMs: maxAgeMs + skewMs }
    if (typeof exp !== 'number' || !(exp >= 0 && exp < 1e11)) throw new JwtClaimsError('`exp` is seconds since 1970')
    return { atMs: Math.ceil(exp * 1_000) + skewMs }
  }
}

/** What stands at a mark. */
interface Answer {
  readonly value: string | null
}

interface Question {
  readonly mark: string
  readonly by: 'jti' | 'token' | 'user' | 'family'
  readonly revokes: (value: string | null) => boolean
}

/** What an answer weighs in memory beside its mark. */
const ENTRY_BYTES = 200
/** An answer is proven fresh for as long as it is kept; what nobody asks for any more goes. */
const KEPT_MS = 600_000
const LONGEST_TOKEN = 65_536

function isThere(value: string | null): boolean {
  return value !== null
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function refused(by: Question['by'] | 'claims'): true {
  jwtRefused.publish(() => ({ by }))
  return true
}

function userMark(sub: string, tenant: string | undefined): string {
  return tenant === undefined ? `{u:${keySegment(sub)}}` : `{u:${keySegment(sub)}:${keySegment(tenant)}}`
}

function tokenMark(jwt: string): string {
  if (typeof jwt !== 'string' || jwt === '' || jwt.length > LONGEST_TOKEN) {
    throw new JwtClaimsError(`a token is a text of 1 to ${LONGEST_TOKEN} characters`)
  }
  return `{t:${createHash('sha256').update(jwt).digest('base64url')}}`
}

/** Of a token whose signature nobody looks at here: a wrong one only keeps its own revocation for another time. */
function expOf(jwt: string): number | undefined {
  const [, payload] = jwt.split('.')
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const exp = (claims as { exp?: unknown } | null)?.exp
    return typeof exp === 'number' && exp >= 0 && exp < 1e11 ? exp : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
