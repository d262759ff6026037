import { SetMetadata } from '@nestjs/common'
import { ConfigurationError } from '../../kernel/errors.js'
import { checkRouteRule, type RateLimitRouteRule } from './route-rule.js'

/**
 * A limit of a route, or of each route of a class, kept by {@link RateLimitGuard}. Several on one place all count, from top to bottom, and those of
 * a class before those of the method: a request is spent in all of them, or in none.
 *
 * Without a `name` the rule is named after the class that is running and the method, `Orders.create`, and on a class `Orders`; the second of one
 * place is `Orders.create#2`. Rules of one name share their counters, so a base class' rule counts apart for each class that extends it; give it a
 * name, and they share one. A rule stands in for one of the same name further out: the method's for the class', both for the guard's `rules`.
 *
 * @example
 * ```ts
 * @RateLimit({ limit: 10, window: '1s' })
 * @RateLimit({ limit: 10_000, window: '1d', by: 'tenant', algorithm: 'fixed-window' })
 * @Post()
 * create(@Body() order: CreateOrder) { … }
 * ```
 * @throws ConfigurationError, InvalidDurationError, InvalidKeyError at decoration, naming `@RateLimit.<option>`
 */
export function RateLimit(rule: RateLimitRouteRule): ClassDecorator & MethodDecorator {
  checkRouteRule(rule, '@RateLimit')
  const kept = Object.freeze({ ...rule })
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const place = placeOf('@RateLimit', target, key, descriptor)
    const { rules } = ownLimits(place)
    if (kept.name !== undefined && rules.some(({ name }) => name === kept.name)) {
      throw new ConfigurationError('@RateLimit.name', 'is that of another rule on the same place; give it another name')
    }
    // Decorators apply from the bottom to the top.
    keep(place, { rules: [kept, ...rules], key })
  }
}

/**
 * Takes a route, or all routes of a class, out of the limits: of the guard's `rules`, of its class, and of the classes that it extends. A method's
 * own `@RateLimit` in a class that is taken out counts again, alone.
 * @throws ConfigurationError at decoration: on one place with `@RateLimit`
 */
export function SkipRateLimit(): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    keep(placeOf('@SkipRateLimit', target, key, descriptor), { skip: true })
  }
}

/** What was written on one class or method, itself. */
export interface OwnLimits {
  /** From top to bottom. */
  readonly rules: readonly RateLimitRouteRule[]
  readonly skip: boolean
  /** Under which the class has the method. */
  readonly key: string | symbol | undefined
}

/** @param place a class, or the function that is a method */
export function ownLimits(place: object): OwnLimits {
  return (Reflect.getOwnMetadata(LIMITS, place) as OwnLimits | undefined) ?? NONE
}

const LIMITS = Symbol('vextrus.rateLimits')
const NONE: OwnLimits = Object.freeze({ rules: [], skip: false, key: undefined })

/** As metadata, which decorators that replace a method carry over. */
function keep(place: object, change: Partial<OwnLimits>): void {
  const limits = { ...ownLimits(place), ...change }
  if (limits.skip && limits.rules.length > 0) {
    throw new ConfigurationError('@SkipRateLimit', 'contradicts @RateLimit on the same place; leave out one of the two')
  }
  SetMetadata(LIMITS, Object.freeze(limits))(place as () => void)
}

function placeOf(decorator: string, target: unknown, key: unknown, descriptor: PropertyDescriptor | undefined): object {
  if (typeof key === 'object') {
    throw new ConfigurationError(decorator, 'needs `"experimentalDecorators": true` in tsconfig.json, as Nest does')
  }
  if (key === undefined && typeof target === 'function') return target
  const method: unknown = descriptor?.value
  if (typeof target === 'object' && typeof method === 'function') return method
  throw new ConfigurationError(decorator, 'stands on a class, or on a method of its instances')
}
