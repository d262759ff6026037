import { ConfigurationError } from '../../kernel/errors.js'
import { RATE_LIMITER_OPTIONS, type RateLimiterOptions, resolveRateLimiterOptions } from '../options.js'
import { RATE_LIMIT_GUARD_OPTIONS, type RateLimitGuardOptions, resolveGuardOptions } from './guard-options.js'

/** What `forRoot({ rateLimit })` takes: for all limits of a connection, and for its guard. */
export interface RateLimitOptions extends RateLimiterOptions, RateLimitGuardOptions {}

const KNOWN: ReadonlySet<string> = new Set([...RATE_LIMITER_OPTIONS, ...RATE_LIMIT_GUARD_OPTIONS])

/** Refuses options that nobody knows, and values that can't be used. @throws ConfigurationError, InvalidDurationError, InvalidKeyError */
export function checkRateLimitOptions(options: RateLimitOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('rateLimit', 'must be an object of options')
  }
  for (const name of Object.keys(options)) {
    if (KNOWN.has(name)) continue
    throw new ConfigurationError(`rateLimit.${name}`, `no such option; there are ${[...KNOWN].join(', ')}`)
  }
  resolveRateLimiterOptions(options)
  resolveGuardOptions(options)
}
