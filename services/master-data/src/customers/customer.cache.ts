import type { PageQuery } from '@vextrus/service-kit'

/** Every cache key and tag of customers; the tenant is a whole segment of each. */
export const CUSTOMER_TTL = 300

export const customerKey = (tenant: string, id: number): string => `customer:${tenant}:${id}`
export const customerListKey = (tenant: string, { page, pageSize }: PageQuery): string =>
  `customers:${tenant}:list:${page}:${pageSize}`

export const customerListsTag = (tenant: string): string => `customer-lists:${tenant}`
