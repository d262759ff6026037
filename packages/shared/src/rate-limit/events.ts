import { defineEvent } from '../kernel/events.js'
import type { RateLimitSource } from './public-types.js'

/** A request was refused, or would have been in shadow mode. Names of rules, never of users. */
export const rateLimitRefused = defineEvent<{
  readonly rules: readonly string[]
  readonly source: RateLimitSource
  readonly retryAfterMs: number
}>('rate-limit.refused')

/** A decision was made without the store, because it gave no answer in time. */
export const rateLimitUnavailable = defineEvent<{ readonly rules: readonly string[]; readonly allowed: boolean }>(
  'rate-limit.unavailable',
)
