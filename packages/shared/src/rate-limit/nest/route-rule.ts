import type { ExecutionContext } from '@nestjs/common'
import { durationToMs } from '../../kernel/duration.js'
import { ConfigurationError, InvalidDurationError, InvalidKeyError } from '../../kernel/errors.js'
import type { RateLimitIds, RateLimitRule } from '../public-types.js'
import { compileRule } from '../rules.js'

/** A limit of a route: as a rule of the service, but what it counts by may be made of what is handled. */
export interface RateLimitRouteRule extends Omit<RateLimitRule, 'by'> {
  /**
   * Whom it counts by: the name of an id, or a function of what is handled that makes one, such as an API key. Where that is not there – no user,
   * or the function answers nothing – it counts by `ip`.
   * @default 'user'
   */
  readonly by?:
    (string & {}) | 'user' | 'tenant' | 'ip' | ((context: ExecutionContext) => string | undefined) | undefined
}

/** Refuses a rule that can't be used. @param where is put before the option's name @throws ConfigurationError, InvalidDurationError, InvalidKeyError */
export function checkRouteRule(rule: RateLimitRouteRule, where: string): void {
  if (typeof rule !== 'object' || rule === null) {
    throw new ConfigurationError(where, 'needs a rule, such as { limit: 100, window: "1m" }')
  }
  durationToMs(rule.window, `${where}.window`)
  try {
    // Of a copy: what is compiled is remembered, and the rule gets its name later.
    compileRule(serviceRule(rule, rule.name))
  } catch (error) {
    throw located(error, where)
  }
}

/** The rule as the service takes it. */
export function serviceRule({ by, ...rest }: RateLimitRouteRule, name: string | undefined): RateLimitRule {
  return { ...rest, by: typeof by === 'function' ? (ids) => subjectOf(by, ids) : by, name }
}

/** Puts beside the ids what is handled, for the `by` of rules. */
export function withContext(ids: RateLimitIds, context: ExecutionContext): RateLimitIds {
  return { ...ids, [CONTEXT]: context } as RateLimitIds
}

const CONTEXT = Symbol('vextrus.context')

/** No text that a function answers is that of an address it did not answer. */
function subjectOf(by: (context: ExecutionContext) => string | undefined, ids: RateLimitIds): string {
  const { [CONTEXT]: context } = ids as { readonly [CONTEXT]?: ExecutionContext }
  const made: unknown = context && by(context)
  if (typeof made === 'string' && made !== '') return made.startsWith(MARK) ? MARK + made : made
  if (typeof made === 'number' || typeof made === 'bigint') return String(made)
  return ids.ip === undefined ? '' : `${MARK}ip:${ids.ip}`
}

const MARK = '\0'

function located(error: unknown, where: string): unknown {
  if (error instanceof ConfigurationError) {
    const problem = error.message.slice(error.option.length + ': '.length)
    return new ConfigurationError(`${where}.${error.option}`, problem, error)
  }
  if (error instanceof InvalidDurationError) return new InvalidDurationError(`${where}.${error.message}`)
  if (error instanceof InvalidKeyError) return new InvalidKeyError(`${where}.${error.message}`)
  return error
}
