import { applyDecorators } from '@nestjs/common'
import { RateLimit } from '@vextrus/shared/rate-limit'
import { limitsOf, SMALLEST, WINDOW } from './plans.js'

const { user, tenant } = limitsOf(SMALLEST)

/**
 * Counts a request against what its user and its tenant may do, by the tenant's plan; one of nobody against its address. All routes share both
 * counters. The numbers here are the smallest plan's; the others stand in for them by the rules' names.
 */
export const PlanLimited = (): ClassDecorator & MethodDecorator =>
  applyDecorators(
    // The last one stands on top.
    RateLimit({ name: 'tenant', by: 'tenant', window: WINDOW, ...tenant }),
    RateLimit({ name: 'user', by: 'user', window: WINDOW, ...user }),
  )
