import type { RateLimitRuleResult } from '../public-types.js'

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-10, whose values are Structured Fields (RFC 9651): lists of strings with parameters. Seconds
 * are whole ones, rounded up, as the draft has no others.
 */

/** `RateLimit-Policy`: what is allowed, `"name";q=100;w=60`. @param windowMs of a rule */
export function policyField(rules: readonly RateLimitRuleResult[], windowMs: (rule: string) => number): string {
  return rules.map(({ name, limit }) => `${stringItem(name)};q=${limit};w=${seconds(windowMs(name))}`).join(', ')
}

/**
 * `RateLimit`: what is left, `"name";r=50;t=30`. Of a rule that refuses, `t` is when it would let the same request pass; else when all of it is
 * there again, though some of it may be sooner.
 */
export function limitField(rules: readonly RateLimitRuleResult[]): string {
  return rules
    .map(({ name, remaining, allowed, retryAfterMs, resetMs }) => {
      return `${stringItem(name)};r=${remaining};t=${seconds(allowed ? resetMs : retryAfterMs)}`
    })
    .join(', ')
}

/** The name of a rule as clients see it: a string of Structured Fields holds printable ASCII only, so any other name is percent-encoded. */
export function policyName(rule: string): string {
  return PRINTABLE_ASCII.test(rule) ? rule : encodeURIComponent(rule)
}

const PRINTABLE_ASCII = /^[ -~]*$/

function stringItem(rule: string): string {
  return `"${policyName(rule).replace(/["\\]/g, String.raw`\$&`)}"`
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}
