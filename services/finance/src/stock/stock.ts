import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { CacheWrites, explained, type Page, pageFrom, type PageQuery, tenantTag } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { Repository } from 'typeorm'
import { StockItem } from './stock.entities.js'
import { StockLedger, type StockRequest, type StockResult } from './stock-ledger.js'
import { type StockItemInput, type StockItemView, stockItemView } from './stock.schemas.js'

/** The tenant is a whole segment of it. */
export const stockKey = (tenant: string, sku: string): string => `stock:${tenant}:${sku}`

/** The stock of tenants, as clients see it: what is read comes from the cache, what is written goes through the {@link StockLedger}. */
@Injectable()
export class Stock {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    private readonly cacheWrites: CacheWrites,
    private readonly ledger: StockLedger,
    @InjectRepository(StockItem) private readonly items: Repository<StockItem>,
  ) {}

  /** One thing, for a minute, or until some of it comes or goes. @throws NotFoundException */
  get(tenantId: string, sku: string): Promise<StockItemView> {
    return this.cache.getOrSet(stockKey(tenantId, sku), () => this.load(tenantId, sku), {
      ttl: this.presets.getTTL(CachePattern.QUERY),
      tags: [tenantTag(tenantId)],
    })
  }

  /** A page by SKU, from the database. */
  list(tenantId: string, page: PageQuery): Promise<Page<StockItemView>> {
    return pageFrom(this.items, page, { where: { tenantId }, order: { sku: 'ASC' } }, stockItemView)
  }

  /** Adds a thing of which there is nothing yet. @throws ConflictException the SKU is taken */
  async create(tenantId: string, { sku, name }: StockItemInput): Promise<StockItemView> {
    const mistakes = { missing: 'The tenant does not exist', taken: `There is a stock item ${sku} already` }
    // Not `save`, which would look for the row by its key and change it.
    await explained(this.items.insert({ tenantId, sku, name, quantity: 0, fence: '0' }), mistakes)
    return { tenantId, sku, name, quantity: 0 }
  }

  /** @throws as {@link StockLedger.deduct} */
  deduct(tenantId: string, sku: string, request: StockRequest): Promise<StockResult> {
    return this.cacheWrites.around({ keys: [stockKey(tenantId, sku)] }, () =>
      this.ledger.deduct(tenantId, sku, request),
    )
  }

  /** @throws as {@link StockLedger.receive} */
  receive(tenantId: string, sku: string, request: StockRequest): Promise<StockResult> {
    return this.cacheWrites.around({ keys: [stockKey(tenantId, sku)] }, () =>
      this.ledger.receive(tenantId, sku, request),
    )
  }

  private async load(tenantId: string, sku: string): Promise<StockItemView> {
    const item = await this.items.findOneBy({ tenantId, sku })
    if (item === null) throw new NotFoundException(`Stock of ${sku} was not found`)
    return stockItemView(item)
  }
}
