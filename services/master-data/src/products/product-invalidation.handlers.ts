import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { CacheWrites } from '../cache/cache-writes.js'
import { categoryTag, listTagsOf, summaryKey, supplierTag } from './product.cache.js'
import { PricesChangedInBulk, ProductChanged, ProductPriceChanged } from './product.events.js'

/**
 * Event-driven invalidation: what else the cache knows about a product that changed. The product's own entry is the writer's matter, which has
 * stored or deleted it; the handlers forget the summary and the lists.
 */
@EventsHandler(ProductChanged)
export class InvalidateProductViews implements IEventHandler<ProductChanged> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: ProductChanged): void {
    event.settle(
      this.cacheWrites.invalidate({
        keys: [summaryKey(event.tenantId, event.productId)],
        tags: listTagsOf(event.tenantId, event.places),
      }),
    )
  }
}

/** The summary has no price: only lists show it. */
@EventsHandler(ProductPriceChanged)
export class InvalidatePricedLists implements IEventHandler<ProductPriceChanged> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: ProductPriceChanged): void {
    event.settle(this.cacheWrites.invalidate({ tags: listTagsOf(event.tenantId, [event.place]) }))
  }
}

/** One tag invalidates every product of the category or supplier, however many there are: nobody lists their keys. */
@EventsHandler(PricesChangedInBulk)
export class InvalidateBulkPrices implements IEventHandler<PricesChangedInBulk> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: PricesChangedInBulk): void {
    const { tenantId, by, places } = event
    const entries = 'categoryId' in by ? categoryTag(tenantId, by.categoryId) : supplierTag(tenantId, by.supplierId)
    event.settle(this.cacheWrites.invalidate({ tags: [entries, ...listTagsOf(tenantId, places)] }))
  }
}
