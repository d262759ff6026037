import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { CacheWrites } from '@vextrus/service-kit'
import { listTagsOf } from './product.cache.js'
import { PricesChangedInBulk, ProductChanged, ProductPriceChanged } from './product.events.js'

/**
 * Event-driven invalidation: forgets the lists that the products of an event may stand in. A product's own entries are the writer's matter,
 * which has them held while it writes.
 */
@EventsHandler(ProductChanged, ProductPriceChanged, PricesChangedInBulk)
export class InvalidateProductLists implements IEventHandler<
  ProductChanged | ProductPriceChanged | PricesChangedInBulk
> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: ProductChanged | ProductPriceChanged | PricesChangedInBulk): void {
    event.settle(this.cacheWrites.invalidate({ tags: listTagsOf(event.tenantId, event.places) }))
  }
}
