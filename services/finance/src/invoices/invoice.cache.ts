import { tenantTag } from '@vextrus/service-kit'
import type { InvoiceListQuery } from './invoice.schemas.js'
import type { InvoiceStatus } from './invoice-status.js'

/**
 * Every cache key and tag of invoices. The tenant is a whole segment of each key and tag; the cache refuses those that have none.
 *
 * | entry | key | tags |
 * |---|---|---|
 * | invoice | `invoice:<tenant>:<id>` | `tenant`, `customer`, `status` |
 * | list | `invoices:<tenant>:…` | `tenant`, and one of the three `invoice-lists` |
 * | revenue report | `report:revenue:<tenant>` | `tenant` |
 *
 * Lists have tags of their own: an invoice that changes its status must refresh the lists that it stands in, and not the thousand other
 * invoices of its status, which carry the status' tag.
 */
export const INVOICE_TTL = 300

/** What the tags are made of. */
export interface Placement {
  readonly customerId: number
  readonly status: InvoiceStatus
}

export const invoiceKey = (tenant: string, id: number): string => `invoice:${tenant}:${id}`
/** Computed from all invoices of the tenant that have a number, so every change of one makes it wrong. */
export const revenueKey = (tenant: string): string => `report:revenue:${tenant}`

/** `invoices:<tenant>:status:DRAFT:1:20` */
export const invoiceListKey = (tenant: string, { customerId, status, page, pageSize }: InvoiceListQuery): string => {
  const filters = [
    ...(customerId === undefined ? [] : ['customer', customerId]),
    ...(status === undefined ? [] : ['status', status]),
  ]
  return ['invoices', tenant, ...filters, page, pageSize].join(':')
}

export const customerTag = (tenant: string, id: number): string => `customer:${tenant}:${id}`
export const statusTag = (tenant: string, status: InvoiceStatus): string => `status:${tenant}:${status}`

export const invoiceTags = (tenant: string, { customerId, status }: Placement): string[] => [
  tenantTag(tenant),
  customerTag(tenant, customerId),
  statusTag(tenant, status),
]

const allListsTag = (tenant: string): string => `invoice-lists:${tenant}`
const customerListsTag = (tenant: string, id: number): string => `invoice-lists:${tenant}:customer:${id}`
const statusListsTag = (tenant: string, status: InvoiceStatus): string => `invoice-lists:${tenant}:status:${status}`

/** A list carries the narrowest tag that covers everything in it. */
export const invoiceListTags = (tenant: string, { customerId, status }: Partial<Placement>): string[] => [
  tenantTag(tenant),
  customerId !== undefined
    ? customerListsTag(tenant, customerId)
    : status !== undefined
      ? statusListsTag(tenant, status)
      : allListsTag(tenant),
]

/** Tags of all the lists that invoices of these customers, which had or have these statuses, may stand in. */
export const listTagsOf = (
  tenant: string,
  customerIds: readonly number[],
  statuses: readonly InvoiceStatus[],
): string[] => [
  allListsTag(tenant),
  ...customerIds.map((id) => customerListsTag(tenant, id)),
  ...statuses.map((status) => statusListsTag(tenant, status)),
]
