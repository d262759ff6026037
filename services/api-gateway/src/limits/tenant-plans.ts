import { limitsOf, type PlanName, SMALLEST } from './plans.js'

/** Which plan a tenant has booked: a table in the gateway's configuration, until there is a service that sells them. */
export class TenantPlans {
  constructor(private readonly booked: ReadonlyMap<string, PlanName>) {}

  of(tenant: string): PlanName {
    return this.booked.get(tenant) ?? SMALLEST
  }

  /** What `forRoot({ rateLimit: { plan } })` takes. */
  readonly limits = (tenant: string): ReturnType<typeof limitsOf> => limitsOf(this.of(tenant))
}
