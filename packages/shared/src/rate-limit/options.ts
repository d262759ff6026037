import { type Duration, durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import type { RateLimitRule } from './public-types.js'

/** What of a rule a plan may say in its place. */
export type PlannedRule = Partial<Pick<RateLimitRule, 'limit' | 'window' | 'burst' | 'algorithm' | 'cost'>>

/** A tenant's plan: by name of a rule what is another for this tenant; false: the rule is not for this tenant. `'*'` is all that are not named. */
export type RateLimitPlan = Readonly<Record<string, PlannedRule | false>>

/** What `forRoot({ rateLimit })` takes: for all limits of a connection. What the guard takes stands in `RateLimitGuardOptions`. */
export interface RateLimiterOptions {
  /**
   * How long a decision waits: for Redis, and before that for at most half of it for a plan that nobody remembers yet. Then each rule's
   * `onUnavailable` decides, at once until Redis answers again. A number is milliseconds.
   * @default 80
   */
  readonly timeout?: Duration | undefined
  /**
   * Processes that share the limits, for rules that are `'local'` while Redis is away. @default those that were seen in the last minute
   */
  readonly instances?: number | undefined
  /**
   * Refusals that a process remembers, so that who is over a limit costs no round trip until it may pass again. False: none.
   * @default { maxEntries: 50_000 }
   */
  readonly denyCache?: false | { readonly maxEntries?: number | undefined } | undefined
  /** The plan of a tenant, from wherever plans are kept. Undefined: rules are as they are written. @default no plans */
  readonly plan?: ((tenant: string) => RateLimitPlan | undefined | PromiseLike<RateLimitPlan | undefined>) | undefined
  /**
   * For how long a tenant's plan is remembered; then it is asked for again, while the old one counts. A number is milliseconds.
   * @default 60_000
   */
  readonly planTtl?: Duration | undefined
}

/** {@link RateLimiterOptions}, read and checked. */
export interface ResolvedRateLimiterOptions {
  readonly timeoutMs: number
  readonly instances: number | undefined
  /** 0: none. */
  readonly denials: number
  readonly plan: RateLimiterOptions['plan']
  readonly planTtlMs: number
}

/** The names of {@link RateLimiterOptions}. */
export const RATE_LIMITER_OPTIONS = [
  ...(['timeout', 'instances', 'denyCache', 'plan', 'planTtl'] as const),
] satisfies (keyof RateLimiterOptions)[]

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveRateLimiterOptions(options: RateLimiterOptions = {}): ResolvedRateLimiterOptions {
  const { timeout = 80, instances, denyCache = {}, plan, planTtl = 60_000 } = options
  if (plan !== undefined && typeof plan !== 'function') {
    throw new ConfigurationError('rateLimit.plan', 'must be a function of a tenant that answers its plan')
  }
  if (denyCache !== false && (typeof denyCache !== 'object' || denyCache === null)) {
    throw new ConfigurationError('rateLimit.denyCache', 'must be false or an object such as { maxEntries: 50_000 }')
  }
  return Object.freeze({
    timeoutMs: durationToMs(timeout, 'rateLimit.timeout'),
    instances: instances === undefined ? undefined : count(instances, 'rateLimit.instances'),
    denials: denyCache === false ? 0 : count(denyCache.maxEntries ?? 50_000, 'rateLimit.denyCache.maxEntries'),
    plan,
    planTtlMs: durationToMs(planTtl, 'rateLimit.planTtl'),
  })
}

function count(given: number, option: string): number {
  if (Number.isSafeInteger(given) && given >= 1 && given <= 10_000_000) return given
  throw new ConfigurationError(option, 'must be a whole number from 1 to 10,000,000')
}
