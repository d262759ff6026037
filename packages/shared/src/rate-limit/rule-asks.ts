import type { RateLimitIds, RateLimitResult, RateLimitRuleResult, RateLimitSource } from './public-types.js'
import type { Ask, CounterReply } from './rate-limit-store.js'
import { type CompiledRule, units } from './rules.js'
import type { LeasedAsk } from './token-leases.js'

/** What one rule asks of its counter for a call. */
export interface RuleAsk extends Ask {
  readonly rule: CompiledRule
  readonly lease: number | undefined
}

/** It is of all tenants, and spends units that were taken in advance. */
export function isLeased(ask: RuleAsk): ask is RuleAsk & LeasedAsk {
  return ask.lease !== undefined
}

/** @throws ConfigurationError, RateLimitIdentityError */
export function asksOf(rules: readonly CompiledRule[], ids: RateLimitIds, cost: number): RuleAsk[] {
  if (cost !== 1) units(cost, 'cost', 1)
  const asks: RuleAsk[] = []
  for (const rule of rules) {
    const { home, id } = rule.counter(ids)
    const needed = rule.cost === 1 ? cost : units(rule.cost * cost, 'cost', 1)
    asks.push({ home, id, spec: rule.spec, cost: needed, most: needed, rule, lease: rule.lease })
  }
  return asks
}

/** Those that one step of the store can answer. */
export function byHome(asks: readonly RuleAsk[]): RuleAsk[][] {
  const homes = new Map<string, RuleAsk[]>()
  for (const ask of asks) {
    const home = homes.get(ask.home)
    if (home === undefined) homes.set(ask.home, [ask])
    else home.push(ask)
  }
  return [...homes.values()]
}

/** What a caller is told of the answers, one for each of `asks`. */
export function resultOf(
  asks: readonly RuleAsk[],
  replies: readonly CounterReply[],
  source: RateLimitSource,
): RateLimitResult {
  let allowed = true
  const rules = asks.map(({ rule, spec }, i): RateLimitRuleResult => {
    const { granted, remaining, retryUs, resetUs } = replies[i]!
    if (granted === 0) allowed = false
    return {
      name: rule.name,
      limit: spec.limit,
      windowMs: rule.windowMs,
      remaining,
      retryAfterMs: Math.ceil(retryUs / 1_000),
      resetMs: Math.ceil(resetUs / 1_000),
      allowed: granted > 0,
    }
  })
  return { allowed, rules, source, retryAfterMs: allowed ? 0 : longest(rules) }
}

/** When all of them may pass again, ms. */
export function longest(rules: readonly RateLimitRuleResult[]): number {
  let ms = 0
  for (const { retryAfterMs } of rules) ms = Math.max(ms, retryAfterMs)
  return ms
}
