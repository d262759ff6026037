import type { ExecutionContext } from '@nestjs/common'
import { ConfigurationError } from '../../kernel/errors.js'
import type { RateLimitIds, RateLimitRule } from '../public-types.js'
import { checkRouteRule, type RateLimitRouteRule, serviceRule } from './route-rule.js'

/** What of `forRoot({ rateLimit })` the guard takes; the rest stands in `RateLimiterOptions`. */
export interface RateLimitGuardOptions {
  /**
   * Limits of every route, before those of its class and its method, which stand in for one of the same name. Without a name they are
   * `all-routes`, `all-routes#2` …: processes that share a `keyPrefix` share their counters, unless they are given names.
   * @default none
   */
  readonly rules?: readonly RateLimitRouteRule[] | undefined
  /**
   * Who asks, over what the guard finds by itself: an id that it answers wins, and one that is undefined is nobody, or of `ip` the address that was
   * found. What it throws is the answer to the request.
   * @default the user, tenant and address of the request; see `RateLimitGuard`
   */
  readonly identity?: ((context: ExecutionContext) => RateLimitIds | PromiseLike<RateLimitIds>) | undefined
  /**
   * Counts and refuses nobody: all rules, or those whose name the function is true for. What would have been refused is published as
   * `rateLimitRefused`, and logged once a rule. Clients are told nothing of such rules.
   * @default false
   */
  readonly shadow?: boolean | ((rule: string) => boolean) | undefined
  /** Whether responses of HTTP tell limits: `RateLimit-Policy` and `RateLimit`. A refusal has its `Retry-After` in any case. @default true */
  readonly headers?: boolean | undefined
  /** Leading bits of an IPv6 address that are one client, 1 to 128: a household has a /64 at least, and may use each of its addresses. @default 64 */
  readonly ipv6Prefix?: number | undefined
  /** What a refused client is told in words, the `detail` of the problem. @default 'Too many requests. Try again later.' */
  readonly errorMessage?: string | undefined
  /** What is not limited at all, such as calls of a monitor. @default nothing */
  readonly skip?: ((context: ExecutionContext) => boolean) | undefined
}

/** The names of {@link RateLimitGuardOptions}. */
export const RATE_LIMIT_GUARD_OPTIONS = [
  ...(['rules', 'identity', 'shadow', 'headers', 'ipv6Prefix', 'errorMessage', 'skip'] as const),
] satisfies (keyof RateLimitGuardOptions)[]

/** {@link RateLimitGuardOptions}, read and checked. */
export interface ResolvedGuardOptions {
  /** Each with a name. */
  readonly rules: readonly RateLimitRule[]
  readonly identity: RateLimitGuardOptions['identity']
  readonly isShadow: (rule: string) => boolean
  readonly headers: boolean
  readonly ipv6Prefix: number
  readonly errorMessage: string
  readonly skip: RateLimitGuardOptions['skip']
}

/**
 * Reads the guard's options; names of other options are not looked at.
 * @throws ConfigurationError, InvalidDurationError, InvalidKeyError naming the option as `rateLimit.<option>`
 */
export function resolveGuardOptions(options: RateLimitGuardOptions = {}): ResolvedGuardOptions {
  const { rules = [], identity, shadow = false, headers = true, ipv6Prefix = 64, skip } = options
  const { errorMessage = 'Too many requests. Try again later.' } = options
  callback(identity, 'identity', 'a function of the context that answers ids')
  callback(skip, 'skip', 'a function of the context that answers true or false')
  if (typeof shadow !== 'boolean' && typeof shadow !== 'function') {
    throw new ConfigurationError('rateLimit.shadow', "must be true, false or a function of a rule's name")
  }
  if (typeof headers !== 'boolean') throw new ConfigurationError('rateLimit.headers', 'must be true or false')
  if (!Number.isInteger(ipv6Prefix) || ipv6Prefix < 1 || ipv6Prefix > 128) {
    throw new ConfigurationError('rateLimit.ipv6Prefix', 'must be a whole number of bits from 1 to 128')
  }
  if (typeof errorMessage !== 'string' || errorMessage === '') {
    throw new ConfigurationError('rateLimit.errorMessage', 'must be a text')
  }
  const isShadow = typeof shadow === 'function' ? shadow : (): boolean => shadow
  return Object.freeze({ rules: rulesOf(rules), identity, isShadow, headers, ipv6Prefix, errorMessage, skip })
}

/** What the guards of one connection share: its options, and what they have already said. The token under which they find it. */
export class RateLimitGuardSettings {
  readonly options: ResolvedGuardOptions
  private readonly told = new Set<string>()

  /**
   * @param currentTenant whose turn it is, where the application knows that without a request; it comes before the request's tenant
   * @throws ConfigurationError, InvalidDurationError, InvalidKeyError
   */
  constructor(
    options: RateLimitGuardOptions = {},
    readonly currentTenant: () => string | undefined = () => undefined,
  ) {
    this.options = resolveGuardOptions(options)
  }

  /** True once for each text: a log line that would else be repeated with every request. Texts are those of the program, not of clients. */
  isNews(text: string): boolean {
    return this.told.size !== this.told.add(text).size
  }
}

function rulesOf(rules: readonly RateLimitRouteRule[]): RateLimitRule[] {
  if (!Array.isArray(rules)) throw new ConfigurationError('rateLimit.rules', 'must be a list of rules')
  let unnamed = 0
  return rules.map((rule, i) => {
    checkRouteRule(rule, `rateLimit.rules[${i}]`)
    if (rules.slice(0, i).some(({ name }) => name !== undefined && name === rule.name)) {
      throw new ConfigurationError(`rateLimit.rules[${i}].name`, 'is that of another rule; give it another name')
    }
    return serviceRule(rule, rule.name ?? numbered('all-routes', ++unnamed))
  })
}

/** The name of a place's rules that have none: the same in every process and after a restart, for it is part of their counters. */
export function numbered(place: string, count: number): string {
  return count === 1 ? place : `${place}#${count}`
}

function callback(given: unknown, option: string, what: string): void {
  if (given !== undefined && typeof given !== 'function') {
    throw new ConfigurationError(`rateLimit.${option}`, `must be ${what}`)
  }
}
