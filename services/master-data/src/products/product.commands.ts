import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { RedisCacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { CacheWrites } from '../cache/cache-writes.js'
import { DomainEvents } from '../cache/domain-event.js'
import { explained } from '../database/constraint-errors.js'
import type { Tenant } from '../tenants/tenant.entity.js'
import { PRODUCT_TTL, productKey, productTags, summaryKey, type Placement } from './product.cache.js'
import { Product } from './product.entities.js'
import { tenantTag } from '../tenants/tenant.cache.js'
import { PricesChangedInBulk, ProductChanged, ProductPriceChanged } from './product.events.js'
import {
  type PriceChange,
  type ProductChanges,
  type ProductInput,
  type ProductView,
  productView,
} from './product.schemas.js'

/**
 * Writes of products. The order is always: commit, then the cache, then the answer. What is cached is the row that was committed, and what could
 * not be told to the cache is told later; nothing uncommitted ever gets into it.
 */
@Injectable()
export class ProductCommands {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly cacheWrites: CacheWrites,
    private readonly events: DomainEvents,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  /** @throws BadRequestException a category, supplier or tax code that does not exist @throws ConflictException the SKU is taken */
  async create(tenant: Tenant, input: ProductInput): Promise<ProductView> {
    const products = this.dataSource.getRepository(Product)
    const created = products.create({ ...input, tenantId: tenant.id, currencyCode: tenant.currencyCode })
    const product = productView(await explained(products.save(created), mistakes))
    await this.writeThrough(product)
    await this.events.publish(new ProductChanged(tenant.id, product.id, [product]))
    return product
  }

  /** Write-through: the next read finds the new row in the cache. @throws NotFoundException; as {@link create} */
  async update(tenantId: string, id: number, changes: ProductChanges): Promise<ProductView> {
    const { before, after } = await explained(
      this.dataSource.transaction(async (transaction) => {
        const row = await transaction.findOne(Product, {
          where: { tenantId, id },
          lock: { mode: 'pessimistic_write' },
        })
        if (row === null) throw new NotFoundException(`Product ${id} was not found`)
        const old = productView(row)
        transaction.merge(Product, row, changes)
        return { before: old, after: productView(await transaction.save(row)) }
      }),
      mistakes,
    )
    await this.writeThrough(after)
    await this.events.publish(
      Object.keys(changes).every((field) => field === 'unitPrice')
        ? new ProductPriceChanged(tenantId, id, after, before.unitPrice, after.unitPrice)
        : new ProductChanged(tenantId, id, [before, after]),
    )
    return after
  }

  /** Deletes the row, then evicts it. @throws NotFoundException */
  async delete(tenantId: string, id: number): Promise<void> {
    const place = await this.dataSource.transaction(async (transaction) => {
      const row = await transaction.findOne(Product, { where: { tenantId, id }, lock: { mode: 'pessimistic_write' } })
      if (row === null) throw new NotFoundException(`Product ${id} was not found`)
      await transaction.delete(Product, { tenantId, id })
      return { categoryId: row.categoryId, supplierId: row.supplierId }
    })
    await this.cacheWrites.invalidate({ keys: [productKey(tenantId, id), summaryKey(tenantId, id)] })
    await this.events.publish(new ProductChanged(tenantId, id, [place]))
  }

  /**
   * Changes the prices of a category or of a supplier's products by some percent, rounded to the decimals of their currency; then one tag makes
   * every entry of them a miss. Answers how many products were changed.
   */
  async changePrices(tenantId: string, { categoryId, supplierId, percent }: PriceChange): Promise<number> {
    const by = categoryId !== undefined ? { categoryId } : { supplierId: supplierId ?? 0 }
    const update = this.dataSource
      .createQueryBuilder()
      .update(Product)
      .set({
        unitPrice: () =>
          'round(unit_price * :factor, (SELECT decimals FROM currencies WHERE currencies.code = currency_code))',
        version: () => 'version + 1',
        updatedAt: () => 'now()',
      })
      .where({ tenantId, ...by })
      .setParameter('factor', 1 + percent / 100)
      .returning(['categoryId', 'supplierId'])
    const { raw } = await explained(update.execute(), mistakes)
    const changed = raw as { category_id: number; supplier_id: number }[]
    if (changed.length > 0) await this.events.publish(new PricesChangedInBulk(tenantId, by, distinctPlaces(changed)))
    return changed.length
  }

  /**
   * All products of a tenant as they are in the database, for another system. Afterwards everything cached of the tenant is invalidated, so
   * that nobody reads anything older than what was handed out.
   */
  async export(tenantId: string): Promise<ProductView[]> {
    const products = await this.dataSource.getRepository(Product).find({ where: { tenantId }, order: { id: 'ASC' } })
    await this.cacheWrites.invalidate({ tags: [tenantTag(tenantId)] })
    return products.map(productView)
  }

  private async writeThrough(product: ProductView): Promise<void> {
    const { tenantId, id } = product
    const key = productKey(tenantId, id)
    await this.cache.setWithTags(key, product, PRODUCT_TTL, productTags(tenantId, product))
    await this.cacheWrites.confirm(key, async () => {
      const row = await this.dataSource
        .getRepository(Product)
        .findOne({ select: { id: true, version: true }, where: { tenantId, id } })
      return row?.version
    })
  }
}

const mistakes = {
  missing: 'The category, supplier or tax code does not exist',
  taken: 'There is a product with this SKU already',
}

function distinctPlaces(rows: readonly { category_id: number; supplier_id: number }[]): Placement[] {
  const places = rows.map((row): [string, Placement] => [
    `${row.category_id}:${row.supplier_id}`,
    { categoryId: row.category_id, supplierId: row.supplier_id },
  ])
  return [...new Map(places).values()]
}
