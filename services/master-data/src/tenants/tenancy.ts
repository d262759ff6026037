import type { TenancyOptions } from '@vextrus/shared/cache'

/**
 * How the cache of this service keeps tenants apart: a key, tag or pattern that does not hold the current tenant as a whole segment is refused
 * before it is sent. Who that is says {@link TenantMiddleware} for a request and `DomainEvents` for an event. What runs without one – a
 * schedule, the start – reaches nothing but reference data, unless it says `runGlobal`.
 */
export const tenancy: TenancyOptions = {
  required: true,
  // Reference data, which belongs to nobody: the first segments of its keys (`lookups/lookup.queries.ts`).
  global: ['countries', 'country', 'currencies', 'tax-codes'],
}
