import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { type Page, type PageFind, pageFrom } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { ILike, In, Repository } from 'typeorm'
import {
  listKey,
  listTags,
  normalisedSearch,
  PRODUCT_TTL,
  productKey,
  productTags,
  SEARCH_GRACE,
  searchKey,
  summaryKey,
} from './product.cache.js'
import { Category, Product, Supplier } from './product.entities.js'
import {
  type ProductListQuery,
  type ProductSearchQuery,
  type ProductSummary,
  type ProductView,
  productView,
} from './product.schemas.js'

/** Reads of products, each with the cache pattern that suits it. */
@Injectable()
export class ProductQueries {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    @InjectRepository(Product) private readonly products: Repository<Product>,
    @InjectRepository(Category) private readonly categories: Repository<Category>,
    @InjectRepository(Supplier) private readonly suppliers: Repository<Supplier>,
  ) {}

  /**
   * One product, by `getOrSet`: of all who miss at the same time one loads, and a write that overtakes the load wins over it.
   * @throws NotFoundException
   */
  get(tenantId: string, id: number): Promise<ProductView> {
    return this.cache.getOrSet(productKey(tenantId, id), () => this.load(tenantId, id), {
      ttl: PRODUCT_TTL,
      tags: (product) => productTags(tenantId, product),
    })
  }

  /** Several products in one round trip to the cache, and one query for all that it lacks. An id that does not exist is null. */
  getMany(tenantId: string, ids: number[]): Promise<(ProductView | null)[]> {
    return this.cache.getOrSetMany<number, ProductView>(ids, {
      key: (id) => productKey(tenantId, id),
      load: async (missing) => {
        const found = await this.products.findBy({ tenantId, id: In(missing) })
        return new Map(found.map((product) => [product.id, productView(product)]))
      },
      ttl: PRODUCT_TTL,
      tags: (product) => productTags(tenantId, product),
    })
  }

  /**
   * A summary, by cache-aside as it is written by hand: get, load, set. Unlike in {@link get}, several may load at once, and a write that falls
   * between the load and the `set` leaves the older summary until its TTL. It suits what hardly changes and hurts nobody when it is old: no
   * price, no stock.
   * @throws NotFoundException
   */
  async summary(tenantId: string, id: number): Promise<ProductSummary> {
    const key = summaryKey(tenantId, id)
    const cached = await this.cache.get<ProductSummary>(key)
    if (cached !== null) return cached
    const product = await this.load(tenantId, id)
    const [category, supplier] = await Promise.all([
      this.categories.findOneByOrFail({ tenantId, id: product.categoryId }),
      this.suppliers.findOneByOrFail({ tenantId, id: product.supplierId }),
    ])
    const { sku, name, unit } = product
    const summary = { id, sku, name, unit, category: category.name, supplier: supplier.name }
    await this.cache.set(key, summary, PRODUCT_TTL)
    return summary
  }

  /** A page of products by name. Query results live for a minute, and shorter when a product of theirs changes. */
  list(tenantId: string, query: ProductListQuery): Promise<Page<ProductView>> {
    const { categoryId, supplierId } = query
    const where = {
      tenantId,
      ...(categoryId === undefined ? {} : { categoryId }),
      ...(supplierId === undefined ? {} : { supplierId }),
    }
    return this.cache.getOrSet(listKey(tenantId, query), () => this.page(where, query), {
      ttl: this.presets.getTTL(CachePattern.QUERY),
      tags: listTags(tenantId, where),
    })
  }

  /**
   * A page of the products whose name or SKU contains the text: the slowest query, for it reads every row of the tenant. So nobody waits for it
   * when a minute is over: for five more the old page is answered at once while one caller has it loaded anew (`grace`). A write is not kept
   * back by that – what was invalidated is no longer served, old or not.
   */
  search(tenantId: string, query: ProductSearchQuery): Promise<Page<ProductView>> {
    const contains = ILike(`%${normalisedSearch(query.q).replaceAll(/[\\%_]/g, String.raw`\$&`)}%`)
    const where = [
      { tenantId, name: contains },
      { tenantId, sku: contains },
    ]
    return this.cache.getOrSet(searchKey(tenantId, query), () => this.page(where, query), {
      ttl: this.presets.getTTL(CachePattern.QUERY),
      grace: SEARCH_GRACE,
      tags: listTags(tenantId, {}),
    })
  }

  private async load(tenantId: string, id: number): Promise<ProductView> {
    const product = await this.products.findOneBy({ tenantId, id })
    if (product === null) throw new NotFoundException(`Product ${id} was not found`)
    return productView(product)
  }

  private page(
    where: PageFind<Product>['where'],
    query: { readonly page: number; readonly pageSize: number },
  ): Promise<Page<ProductView>> {
    return pageFrom(this.products, query, { where, order: { name: 'ASC', id: 'ASC' } }, productView)
  }
}
