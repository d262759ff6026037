/** What `@vextrus/shared/rate-limit` exports. */
export { RateLimiterService } from './rate-limiter.js'
export type { RateLimiterSurroundings } from './rate-limiter.js'
export type { ConcurrencyPlace } from './concurrency.js'
export type { PlannedRule, RateLimiterOptions, RateLimitPlan } from './options.js'
export { RateLimit, SkipRateLimit } from './nest/rate-limit.decorator.js'
export { RateLimitGuard } from './nest/rate-limit.guard.js'
export { type RateLimitGuardOptions, RateLimitGuardSettings } from './nest/guard-options.js'
export type { RateLimitOptions } from './nest/rate-limit-options.js'
export type { RateLimitRouteRule } from './nest/route-rule.js'
export {
  RateLimitExceededException,
  type RateLimitProblem,
  RateLimitRefusedException,
  RateLimitUndecidedException,
} from './nest/rate-limit.exception.js'
export { clientAddress } from './client-address.js'
export type {
  ConcurrencyOptions,
  HitOptions,
  HitResult,
  OnUnavailable,
  RateLimitIds,
  RateLimitResult,
  RateLimitRule,
  RateLimitRuleResult,
  RateLimitSource,
} from './public-types.js'
export { RateLimitIdentityError, RateLimitUnavailableError } from './errors.js'
export { rateLimitRefused, rateLimitUnavailable } from './events.js'
export type {
  Ask,
  Counter,
  CounterReply,
  CounterSpec,
  Demand,
  HitReply,
  HitRequest,
  News,
  NewsListener,
  Place,
  RateLimitAlgorithm,
  RateLimitStore,
} from './rate-limit-store.js'
