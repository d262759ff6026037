import type { RateLimitPlan } from '@vextrus/shared/rate-limit'

/** All limits are so much in this time; a full bucket holds as much, and what is spent comes back evenly. */
export const WINDOW = '1m'

/** What tenants book: the limits by the names of their rules. */
const PLANS = {
  free: { user: { limit: 60 }, tenant: { limit: 120 } },
  standard: { user: { limit: 300 }, tenant: { limit: 3_000 } },
  enterprise: { user: { limit: 1_200 }, tenant: { limit: 60_000 } },
} as const satisfies Readonly<Record<string, RateLimitPlan>>

export type PlanName = keyof typeof PLANS

export const planNames = Object.keys(PLANS) as readonly PlanName[]

export const isPlan = (name: string): name is PlanName => Object.hasOwn(PLANS, name)

/** Of whoever has booked nothing, and of callers without a token, who are counted by their addresses. */
export const SMALLEST: PlanName = 'free'

/** The limits of a plan by name of the rule; the same object for the same plan. */
export const limitsOf = (plan: PlanName): (typeof PLANS)[PlanName] => PLANS[plan]
