import type { OnUnavailable, RateLimitRule } from '../public-types.js'
import { compileRule } from '../rules.js'
import { numbered } from './guard-options.js'
import { itemName } from './rate-limit-headers.js'
import { type OwnLimits, ownLimits } from './rate-limit.decorator.js'
import { type RateLimitRouteRule, serviceRule } from './route-rule.js'

/** All limits of one route. */
export interface RouteLimits {
  /** One list for all requests: the service reads it once. */
  readonly rules: readonly RateLimitRule[]
  /** Of each rule, by its name. */
  readonly known: ReadonlyMap<string, KnownRule>
}

/** What is told of a rule, and is not in a result. */
export interface KnownRule {
  /** Its name in the fields of a response. */
  readonly item: string
  readonly onUnavailable: OnUnavailable
}

type Handler = ReturnType<import('@nestjs/common').ExecutionContext['getHandler']>
type Class = ReturnType<import('@nestjs/common').ExecutionContext['getClass']>

/** The limits of routes, put together at the first request of each. */
export class RouteTable {
  /** By handler and class: an inherited method is a route of each class that has it. */
  private readonly routes = new WeakMap<Handler, WeakMap<Class, RouteLimits>>()

  /** @param all rules of every route */
  constructor(private readonly all: readonly RateLimitRule[]) {}

  find(handler: Handler, type: Class): RouteLimits {
    let ofHandler = this.routes.get(handler)
    if (ofHandler === undefined) this.routes.set(handler, (ofHandler = new WeakMap()))
    let limits = ofHandler.get(type)
    if (limits === undefined) ofHandler.set(type, (limits = this.limitsOf(handler, type)))
    return limits
  }

  private limitsOf(handler: Handler, type: Class): RouteLimits {
    const method = ownLimits(handler)
    const place = type.name === '' ? 'anonymous' : type.name
    const rules = new Map<string, RateLimitRule>()
    if (!method.skip) {
      for (const rule of this.rulesAround(type, place)) rules.set(rule.name!, rule)
      // In the place of one of the same name, which it stands in for.
      for (const rule of named(method.rules, `${place}.${String(method.key)}`)) rules.set(rule.name!, rule)
    }
    const list = [...rules.values()]
    const known = list.map((rule) => {
      const { name, onUnavailable } = compileRule(rule)
      return [name, { item: itemName(name), onUnavailable }] as const
    })
    return { rules: Object.freeze(list), known: new Map(known) }
  }

  /** Of every route and of the class, with those that it extends before it. */
  private rulesAround(type: Class, place: string): RateLimitRule[] {
    const rules: RateLimitRouteRule[] = []
    for (
      let each: object | null = type;
      typeof each === 'function';
      each = Object.getPrototypeOf(each) as object | null
    ) {
      const own: OwnLimits = ownLimits(each)
      if (own.skip) return named(rules, place)
      rules.unshift(...own.rules)
    }
    return [...this.all, ...named(rules, place)]
  }
}

function named(rules: readonly RateLimitRouteRule[], place: string): RateLimitRule[] {
  let unnamed = 0
  return rules.map((rule) => serviceRule(rule, rule.name ?? numbered(place, ++unnamed)))
}
