import { tenantTag } from '@vextrus/service-kit'
import type { RuleListQuery } from './rule.schemas.js'

/**
 * Every cache key and tag of rules; the tenant is a whole segment of each.
 *
 * | entry | key | tags |
 * |---|---|---|
 * | the rules in force of a subject | `rules:<tenant>:<subject>` | `tenant`, `rule-sets` |
 * | a page for those who edit them | `rule-list:<tenant>:…` | `tenant`, `rule-lists` |
 */
export const ruleSetKey = (tenant: string, subject: string): string => `rules:${tenant}:${subject}`
export const ruleSetTags = (tenant: string): string[] => [tenantTag(tenant), ruleSetsTag(tenant)]
/** On every rule set of the tenant: one invalidation for a change of all its rules. */
export const ruleSetsTag = (tenant: string): string => `rule-sets:${tenant}`

export const ruleListKey = (tenant: string, { subject, page, pageSize }: RuleListQuery): string =>
  `rule-list:${tenant}:${subject ?? ''}:${page}:${pageSize}`
export const ruleListsTag = (tenant: string): string => `rule-lists:${tenant}`

/** For how long it is remembered that a subject has no rules: short, because anybody may ask for any subject. Seconds. */
export const NO_RULES_TTL = 60
