import type { RateLimitRuleResult } from '../public-types.js'

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-10, whose values are Structured Fields (RFC 9651): lists of strings with parameters. Seconds
 * are whole ones, rounded up, as the draft has no others.
 */

/** The name of a rule as the fields say it at each request: a string of Structured Fields. */
export function itemName(rule: string): string {
  return `"${policyName(rule).replace(/["\\]/g, String.raw`\$&`)}"`
}

/** `RateLimit-Policy`: what is allowed, `"name";q=100;w=60`. @param items the names of all rules that may be in a result */
export function policyField(
  rules: readonly RateLimitRuleResult[],
  items: ReadonlyMap<string, { readonly item: string }>,
): string {
  return joined(rules, items, ({ limit, windowMs }) => `;q=${limit};w=${seconds(windowMs)}`)
}

/**
 * `RateLimit`: what is left, `"name";r=50;t=30`. Of a rule that refuses, `t` is when it would let the same request pass; else when all of it is
 * there again, though some of it may be sooner.
 */
export function limitField(
  rules: readonly RateLimitRuleResult[],
  items: ReadonlyMap<string, { readonly item: string }>,
): string {
  return joined(rules, items, ({ remaining, allowed, retryAfterMs, resetMs }) => {
    return `;r=${remaining};t=${seconds(allowed ? resetMs : retryAfterMs)}`
  })
}

/** The name of a rule as clients see it: a string of Structured Fields holds printable ASCII only, so any other name is percent-encoded. */
export function policyName(rule: string): string {
  return PRINTABLE_ASCII.test(rule) ? rule : encodeURIComponent(rule)
}

const PRINTABLE_ASCII = /^[ -~]*$/

function joined(
  rules: readonly RateLimitRuleResult[],
  items: ReadonlyMap<string, { readonly item: string }>,
  parameters: (rule: RateLimitRuleResult) => string,
): string {
  let field = ''
  for (const rule of rules) {
    field += `${field === '' ? '' : ', '}${items.get(rule.name)!.item}${parameters(rule)}`
  }
  return field
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}
