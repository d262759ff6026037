import { type Duration, durationToMs, type Ttl, ttlToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'

/** What of `forRoot({ jwt })` the blacklist and the families take; the guard's stand in `nest/guard-options.ts`. */
export interface JwtBlacklistOptions {
  /**
   * What `isRevoked` answers while nobody knows: `'throw'` rejects with JwtUnavailableError, and the guard answers 503; `'deny'` is true, 401;
   * `'allow'` is false, and revoked tokens are accepted for as long as Redis is away. @default 'throw'
   */
  readonly onUnavailable?: 'throw' | 'deny' | 'allow' | undefined
  /** How much longer than its `exp` a revocation is kept, for clocks that differ. A number is milliseconds. @default 60_000 */
  readonly skew?: Duration | undefined
  /**
   * The longest life of a token, refresh tokens included: for so long, and `skew`, is kept what says nothing of an end – that all of a user's are
   * revoked, that a token without `exp` is, and a family. A token that lives longer is accepted again after it. A number is seconds. @default '30d'
   */
  readonly maxAge?: Ttl | undefined
  /** For how long a refresh token may be presented again after it was replaced: two requests at once, a lost answer. A number is milliseconds. @default 10_000 */
  readonly refreshGrace?: Duration | undefined
  /** Names of claims. @default { tenant: 'tenantId', family: 'fam' } */
  readonly claims?: { readonly tenant?: string | undefined; readonly family?: string | undefined } | undefined
  /** Answers kept in memory, provably as fresh as `l1.staleness`; false: each check asks Redis. @default { maxEntries: 100_000 } */
  readonly near?: false | { readonly maxEntries?: number | undefined } | undefined
}

/** {@link JwtBlacklistOptions}, read and checked. */
export interface ResolvedJwtOptions {
  readonly onUnavailable: 'throw' | 'deny' | 'allow'
  readonly skewMs: number
  readonly maxAgeMs: number
  readonly refreshGraceMs: number
  readonly tenantClaim: string
  readonly familyClaim: string
  /** 0: none. */
  readonly nearEntries: number
}

/** The names of {@link JwtBlacklistOptions}. */
export const JWT_BLACKLIST_OPTIONS = [
  'onUnavailable',
  'skew',
  'maxAge',
  'refreshGrace',
  'claims',
  'near',
] as const satisfies (keyof JwtBlacklistOptions)[]

/**
 * Reads the options; names of other options are not looked at.
 * @throws ConfigurationError, InvalidDurationError naming the option as `jwt.<option>`
 */
export function resolveJwtOptions(options: JwtBlacklistOptions = {}): ResolvedJwtOptions {
  const {
    onUnavailable = 'throw',
    skew = 60_000,
    maxAge = '30d',
    refreshGrace = 10_000,
    claims = {},
    near = {},
  } = options
  if (onUnavailable !== 'throw' && onUnavailable !== 'deny' && onUnavailable !== 'allow') {
    throw new ConfigurationError('jwt.onUnavailable', "must be 'throw', 'deny' or 'allow'")
  }
  const { tenant = 'tenantId', family = 'fam' } = claims
  const nearEntries = near === false ? 0 : (near.maxEntries ?? 100_000)
  if (!Number.isSafeInteger(nearEntries) || nearEntries < 0 || nearEntries > 100_000_000) {
    throw new ConfigurationError('jwt.near.maxEntries', 'must be a whole number')
  }
  return Object.freeze({
    onUnavailable,
    skewMs: skew === 0 ? 0 : durationToMs(skew, 'jwt.skew'),
    maxAgeMs: ttlToMs(maxAge, 'jwt.maxAge'),
    refreshGraceMs: refreshGrace === 0 ? 0 : durationToMs(refreshGrace, 'jwt.refreshGrace'),
    tenantClaim: claimName(tenant, 'jwt.claims.tenant'),
    familyClaim: claimName(family, 'jwt.claims.family'),
    nearEntries,
  })
}

function claimName(name: unknown, option: string): string {
  if (typeof name === 'string' && name !== '') return name
  throw new ConfigurationError(option, 'must be the name of a claim')
}
