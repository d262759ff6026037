/** What a tenant has booked. Windows are a minute; a full bucket holds a minute's worth. */
const PLANS = {
  free: { user: { limit: 60 }, tenant: { limit: 120 } },
  standard: { user: { limit: 300 }, tenant: { limit: 3_000 } },
  enterprise: { user: { limit: 1_200 }, tenant: { limit: 60_000 } },
} as const satisfies Readonly<Record<string, Readonly<Record<string, { readonly limit: number }>>>>

export type PlanName = keyof typeof PLANS

export const planNames = Object.keys(PLANS) as readonly PlanName[]

export const isPlan = (name: string): name is PlanName => Object.hasOwn(PLANS, name)

/** Of whoever has booked nothing, and of callers without a token, who are counted by their addresses. */
export const SMALLEST: PlanName = 'free'

/** The limits of a plan by name of the rule; the same object for the same plan. */
export const limitsOf = (plan: PlanName): (typeof PLANS)[PlanName] => PLANS[plan]
