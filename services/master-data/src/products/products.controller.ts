import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  idParam,
  type Page,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import { z } from 'zod'
import { ProductCommands } from './product.commands.js'
import { ProductQueries } from './product.queries.js'
import {
  type PriceChange,
  priceChange,
  priceChangeResult,
  productBatchQuery,
  type ProductChanges,
  productChanges,
  productExport,
  type ProductInput,
  productInput,
  type ProductListQuery,
  productListQuery,
  productPage,
  productSchema,
  type ProductSearchQuery,
  productSearchQuery,
  type ProductSummary,
  productSummarySchema,
  type ProductView,
} from './product.schemas.js'

@ApiTags('products')
@Controller('products')
@TenantScoped()
export class ProductsController {
  constructor(
    private readonly queries: ProductQueries,
    private readonly commands: ProductCommands,
  ) {}

  @Get()
  @ApiOperation({ summary: 'A page of products by name, of a category or supplier when one is named' })
  @CachedRead(productPage)
  list(
    @CurrentTenant() tenant: Tenant,
    @Query({ schema: productListQuery }) query: ProductListQuery,
  ): Promise<Page<ProductView>> {
    return this.queries.list(tenant.id, query)
  }

  @Get('search')
  @ApiOperation({ summary: 'A page of the products whose name or SKU contains a text' })
  @CachedRead(productPage)
  search(
    @CurrentTenant() tenant: Tenant,
    @Query({ schema: productSearchQuery }) query: ProductSearchQuery,
  ): Promise<Page<ProductView>> {
    return this.queries.search(tenant.id, query)
  }

  @Get('batch')
  @ApiOperation({ summary: 'Up to 100 products by id, in the order asked for; null where there is none' })
  @CachedRead(z.array(productSchema.nullable()))
  batch(
    @CurrentTenant() tenant: Tenant,
    @Query({ schema: productBatchQuery }) { ids }: z.infer<typeof productBatchQuery>,
  ): Promise<(ProductView | null)[]> {
    return this.queries.getMany(tenant.id, ids.split(',').map(Number))
  }

  @Post('price-changes')
  @HttpCode(200)
  @ApiOperation({ summary: "Changes the prices of a category or of a supplier's products by some percent" })
  @ApiOkResponse({ standardSchema: priceChangeResult })
  async changePrices(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: priceChange }) change: PriceChange,
  ): Promise<z.infer<typeof priceChangeResult>> {
    return { changed: await this.commands.changePrices(tenant.id, change) }
  }

  @Post('exports')
  @HttpCode(200)
  @ApiOperation({ summary: "All products of the tenant; everything cached of the tenant's is read anew afterwards" })
  @ApiOkResponse({ standardSchema: productExport })
  async export(@CurrentTenant() tenant: Tenant): Promise<z.infer<typeof productExport>> {
    const products = await this.commands.export(tenant.id)
    return { tenantId: tenant.id, exportedAt: new Date().toISOString(), products }
  }

  @Get(':id')
  @ApiOperation({ summary: 'One product' })
  @CachedRead(productSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<ProductView> {
    return this.queries.get(tenant.id, id)
  }

  @Get(':id/summary')
  @ApiOperation({ summary: 'What a picking list shows of a product; up to 5 minutes old' })
  @CachedRead(productSummarySchema)
  summary(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<ProductSummary> {
    return this.queries.summary(tenant.id, id)
  }

  @Post()
  @ApiOperation({ summary: 'Adds a product, in the currency of the tenant' })
  @ApiCreatedResponse({ standardSchema: productSchema })
  @ApiProblems({ 409: 'The SKU is taken' })
  create(@CurrentTenant() tenant: Tenant, @Body({ schema: productInput }) input: ProductInput): Promise<ProductView> {
    return this.commands.create(tenant, input)
  }

  @Patch(':id')
  @ApiOperation({ summary: 'Changes some fields of a product' })
  @ApiOkResponse({ standardSchema: productSchema })
  update(
    @CurrentTenant() tenant: Tenant,
    @Param('id', { schema: idParam }) id: number,
    @Body({ schema: productChanges }) changes: ProductChanges,
  ): Promise<ProductView> {
    return this.commands.update(tenant.id, id, changes)
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Removes a product' })
  @ApiNoContentResponse()
  delete(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<void> {
    return this.commands.delete(tenant.id, id)
  }
}
