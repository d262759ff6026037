/** Carried by every entry that shows a tenant's rows: one invalidation forgets the tenant. */
export const tenantTag = (tenant: string): string => `tenant:${tenant}`
