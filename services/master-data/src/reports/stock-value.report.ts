import { Injectable } from '@nestjs/common'
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { InjectDataSource } from '@nestjs/typeorm'
import { CacheWrites } from '@vextrus/service-kit'
import { CachePattern, CacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { z } from 'zod'
import { stockReportKey } from '../products/product.cache.js'
import { PricesChangedInBulk, ProductChanged, ProductPriceChanged } from '../products/product.events.js'

export const stockValueSchema = z.array(
  z.object({
    categoryId: z.number().int(),
    category: z.string(),
    products: z.number().int(),
    outOfStock: z.number().int(),
    stockValue: z.string().meta({ description: "In the tenant's currency", example: '1234.50' }),
  }),
)
export type StockValue = z.infer<typeof stockValueSchema>

/** What lies in the warehouse, by category: reads every product of a tenant, so it is kept for half an hour (`CachePattern.REPORT`). */
@Injectable()
export class StockValueReport {
  constructor(
    private readonly cache: CacheService,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  get(tenantId: string): Promise<StockValue> {
    return this.cache.getOrSet(stockReportKey(tenantId), () => this.load(tenantId), CachePattern.REPORT)
  }

  private load(tenantId: string): Promise<StockValue> {
    return this.dataSource.query(
      `SELECT c.id AS "categoryId", c.name AS category, count(p.id)::int AS products,
              count(p.id) FILTER (WHERE p.stock = 0)::int AS "outOfStock", coalesce(sum(p.stock * p.unit_price), 0)::text AS "stockValue"
         FROM categories c LEFT JOIN products p ON p.tenant_id = c.tenant_id AND p.category_id = c.id
        WHERE c.tenant_id = $1
        GROUP BY c.id, c.name
        ORDER BY c.name`,
      [tenantId],
    )
  }
}

/** Event-driven invalidation by key: whatever changes a product changes the tenant's report. */
@EventsHandler(ProductChanged, ProductPriceChanged, PricesChangedInBulk)
export class InvalidateStockValue implements IEventHandler<ProductChanged | ProductPriceChanged | PricesChangedInBulk> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: ProductChanged | ProductPriceChanged | PricesChangedInBulk): void {
    event.settle(this.cacheWrites.invalidate({ keys: [stockReportKey(event.tenantId)] }))
  }
}
