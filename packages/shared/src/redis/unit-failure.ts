import { RedisReplyError, RedisUnavailableError } from './errors.js'
import type { UnitOutcome } from './topology.js'

/** What failed in a unit: no answer, or the first of its commands that was answered with an error. Undefined: nothing did. */
export function failureOf(outcome: UnitOutcome): RedisUnavailableError | RedisReplyError | undefined {
  if (outcome instanceof RedisUnavailableError) return outcome
  return outcome.replies.find((reply) => reply instanceof RedisReplyError)
}

/** Nothing can have come of what failed like this: it was not sent. */
export function isUnsent(failure: unknown): boolean {
  return failure instanceof RedisUnavailableError && UNSENT.has(failure.reason)
}

const UNSENT: ReadonlySet<RedisUnavailableError['reason']> = new Set(['not-connected', 'circuit-open'])
