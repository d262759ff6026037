import { DomainEvent } from '@vextrus/service-kit'
import type { Placement } from './product.cache.js'

/** A product came, went, or changed in something else than its price alone. */
export class ProductChanged extends DomainEvent {
  /** @param places where it stood before and where it stands now */
  constructor(
    readonly tenantId: string,
    readonly productId: number,
    readonly places: readonly Placement[],
  ) {
    super()
  }
}

/** The price of one product changed, and nothing else. */
export class ProductPriceChanged extends DomainEvent {
  constructor(
    readonly tenantId: string,
    readonly productId: number,
    readonly places: readonly Placement[],
    readonly oldPrice: string,
    readonly newPrice: string,
  ) {
    super()
  }
}

/** The prices of a whole category, or of all that a supplier delivers, were changed in one statement. */
export class PricesChangedInBulk extends DomainEvent {
  /** @param places of the products that changed, each once */
  constructor(
    readonly tenantId: string,
    readonly by: { readonly categoryId: number } | { readonly supplierId: number },
    readonly places: readonly Placement[],
  ) {
    super()
  }
}
