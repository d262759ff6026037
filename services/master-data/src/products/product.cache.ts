import { tenantTag } from '@vextrus/service-kit'
import type { ProductListQuery, ProductSearchQuery } from './product.schemas.js'

/**
 * Every cache key and tag of products. The tenant is a whole segment of each key and tag, so that no tenant can ever read or invalidate
 * another one's; the cache refuses those that have none (`service.ts`).
 *
 * | entry | key | tags |
 * |---|---|---|
 * | product | `product:<tenant>:<id>` | `tenant`, `category`, `supplier` |
 * | summary | `product-summary:<tenant>:<id>` | – |
 * | list, search | `products:<tenant>:…` | `tenant`, and one of the three `…-lists` |
 * | stock report | `report:stock-value:<tenant>` | – |
 *
 * Lists have tags of their own: a change of one product must refresh the lists that it may stand in, and not the thousand other products of
 * its category, which carry the category's tag.
 */
export const PRODUCT_TTL = 300
/** For how long after its minute a search is still answered, while it is searched anew. */
export const SEARCH_GRACE = 300

export const productKey = (tenant: string, id: number): string => `product:${tenant}:${id}`
export const summaryKey = (tenant: string, id: number): string => `product-summary:${tenant}:${id}`
/** Computed from all products of the tenant, so every write of one makes it wrong. */
export const stockReportKey = (tenant: string): string => `report:stock-value:${tenant}`

export const listKey = (tenant: string, { categoryId, supplierId, page, pageSize }: ProductListQuery): string =>
  `products:${tenant}:list:category=${categoryId ?? ''}:supplier=${supplierId ?? ''}:${page}:${pageSize}`

/** Searches that differ in case or spacing only find the same, and share an entry. */
export const searchKey = (tenant: string, { q, page, pageSize }: ProductSearchQuery): string =>
  `products:${tenant}:search:${encodeURIComponent(normalisedSearch(q))}:${page}:${pageSize}`

export const normalisedSearch = (q: string): string => q.toLowerCase().split(/\s+/).join(' ')

export const categoryTag = (tenant: string, id: number): string => `category:${tenant}:${id}`
export const supplierTag = (tenant: string, id: number): string => `supplier:${tenant}:${id}`

const wideListsTag = (tenant: string): string => `product-lists:${tenant}`
const categoryListsTag = (tenant: string, id: number): string => `category-lists:${tenant}:${id}`
const supplierListsTag = (tenant: string, id: number): string => `supplier-lists:${tenant}:${id}`

/** Where a product stands. */
export interface Placement {
  readonly categoryId: number
  readonly supplierId: number
}

export const productTags = (tenant: string, { categoryId, supplierId }: Placement): string[] => [
  tenantTag(tenant),
  categoryTag(tenant, categoryId),
  supplierTag(tenant, supplierId),
]

/** A list carries the narrowest tag that covers everything in it. */
export const listTags = (tenant: string, { categoryId, supplierId }: Partial<Placement>): string[] => [
  tenantTag(tenant),
  categoryId !== undefined
    ? categoryListsTag(tenant, categoryId)
    : supplierId !== undefined
      ? supplierListsTag(tenant, supplierId)
      : wideListsTag(tenant),
]

/** Tags of all the lists that products standing in these places may appear in. */
export const listTagsOf = (tenant: string, places: readonly Placement[]): string[] => [
  ...new Set([
    wideListsTag(tenant),
    ...places.map(({ categoryId }) => categoryListsTag(tenant, categoryId)),
    ...places.map(({ supplierId }) => supplierListsTag(tenant, supplierId)),
  ]),
]
