import { Injectable } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import {
  CacheWrites,
  DomainEvents,
  explained,
  lockedRow,
  removedRow,
  type Tenant,
  tenantTag,
} from '@vextrus/service-kit'
import { RedisCacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import {
  categoryTag,
  type Placement,
  PRODUCT_TTL,
  productKey,
  productTags,
  stockReportKey,
  summaryKey,
  supplierTag,
} from './product.cache.js'
import { Product } from './product.entities.js'
import { PricesChangedInBulk, ProductChanged, ProductPriceChanged } from './product.events.js'
import {
  type PriceChange,
  type ProductChanges,
  type ProductInput,
  type ProductView,
  productView,
} from './product.schemas.js'

/**
 * Writes of products. The order is always: commit, then the cache, then the answer. What is cached is the row that was committed; nothing
 * uncommitted ever gets into it.
 *
 * Each has its invalidation around it (`CacheWrites.around`), so that a crash after the commit leaves no old product, summary or report. Lists
 * are left out of that: which ones is known when the row has been read, and they live for a minute.
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
    const save = () => explained(products.save(created), mistakes)
    const product = productView(await this.cacheWrites.around({ keys: [stockReportKey(tenant.id)] }, save))
    await this.writeThrough(product)
    await this.events.publish(new ProductChanged(tenant.id, product.id, [product]))
    return product
  }

  /** Write-through: the next read finds the new row in the cache. @throws NotFoundException; as {@link create} */
  async update(tenantId: string, id: number, changes: ProductChanges): Promise<ProductView> {
    const write = () =>
      this.dataSource.transaction(async (transaction) => {
        const row = await lockedRow(transaction, Product, { tenantId, id }, `Product ${id}`)
        const old = productView(row)
        transaction.merge(Product, row, changes)
        return { before: old, after: productView(await transaction.save(row)) }
      })
    const onlyPrice = Object.keys(changes).every((field) => field === 'unitPrice')
    // The summary has no price: it may stay.
    const keys = entriesOf(tenantId, id).filter((key) => !onlyPrice || key !== summaryKey(tenantId, id))
    const { before, after } = await explained(this.cacheWrites.around({ keys }, write), mistakes)
    await this.writeThrough(after)
    await this.events.publish(
      onlyPrice
        ? new ProductPriceChanged(tenantId, id, [after], before.unitPrice, after.unitPrice)
        : new ProductChanged(tenantId, id, [before, after]),
    )
    return after
  }

  /** Deletes the row and evicts it. @throws NotFoundException */
  async delete(tenantId: string, id: number): Promise<void> {
    const remove = () => removedRow(this.dataSource, Product, { tenantId, id }, `Product ${id}`)
    const { categoryId, supplierId } = await this.cacheWrites.around({ keys: entriesOf(tenantId, id) }, remove)
    await this.events.publish(new ProductChanged(tenantId, id, [{ categoryId, supplierId }]))
  }

  /**
   * Changes the prices of a category or of a supplier's products by some percent, rounded to the decimals of their currency; one tag makes
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
    const prices = categoryId !== undefined ? categoryTag(tenantId, categoryId) : supplierTag(tenantId, supplierId ?? 0)
    const targets = { keys: [stockReportKey(tenantId)], tags: [prices] }
    const { raw } = await explained(
      this.cacheWrites.around(targets, () => update.execute()),
      mistakes,
    )
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
    const { tenantId, id, version } = product
    const key = productKey(tenantId, id)
    await this.cache.set(key, product, { ttl: PRODUCT_TTL, tags: productTags(tenantId, product), version })
    await this.cacheWrites.confirm(key, version, async () => {
      const row = await this.dataSource
        .getRepository(Product)
        .findOne({ select: { id: true, version: true }, where: { tenantId, id } })
      return row?.version
    })
  }
}

/** What is wrong when one product changes; the lists beside it are a matter of the events. */
const entriesOf = (tenantId: string, id: number): string[] => [
  productKey(tenantId, id),
  summaryKey(tenantId, id),
  stockReportKey(tenantId),
]

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
