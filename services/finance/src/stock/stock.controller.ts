import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  type Page,
  type PageQuery,
  pageQuery,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import type { StockRequest, StockResult } from './stock-ledger.js'
import {
  skuField,
  type StockItemInput,
  stockItemInput,
  stockItemSchema,
  type StockItemView,
  stockPage,
  stockRequest,
  stockResult,
} from './stock.schemas.js'
import { Stock } from './stock.js'

@ApiTags('stock')
@Controller('stock')
@TenantScoped()
export class StockController {
  constructor(private readonly stock: Stock) {}

  @Get()
  @ApiOperation({ summary: 'A page of the stock by SKU, as it is in the database' })
  @ApiOkResponse({ standardSchema: stockPage })
  list(@CurrentTenant() tenant: Tenant, @Query({ schema: pageQuery }) page: PageQuery): Promise<Page<StockItemView>> {
    return this.stock.list(tenant.id, page)
  }

  @Get(':sku')
  @ApiOperation({ summary: 'How much there is of one thing' })
  @CachedRead(stockItemSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('sku', { schema: skuField }) sku: string): Promise<StockItemView> {
    return this.stock.get(tenant.id, sku)
  }

  @Post()
  @ApiOperation({ summary: 'Adds a thing of which there is nothing yet' })
  @ApiCreatedResponse({ standardSchema: stockItemSchema })
  @ApiProblems({ 409: 'The SKU is taken' })
  create(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: stockItemInput }) input: StockItemInput,
  ): Promise<StockItemView> {
    return this.stock.create(tenant.id, input)
  }

  @Post(':sku/deductions')
  @HttpCode(200)
  @ApiOperation({ summary: 'Takes some out, once for each reference; never more than there is' })
  @ApiOkResponse({ standardSchema: stockResult })
  @ApiProblems({
    409: 'There is not enough, the reference was used for something else, or a later writer was faster',
    503: 'The lock of the thing was not to be had',
  })
  deduct(
    @CurrentTenant() tenant: Tenant,
    @Param('sku', { schema: skuField }) sku: string,
    @Body({ schema: stockRequest }) request: StockRequest,
  ): Promise<StockResult> {
    return this.stock.deduct(tenant.id, sku, request)
  }

  @Post(':sku/receipts')
  @HttpCode(200)
  @ApiOperation({ summary: 'Puts some in, once for each reference' })
  @ApiOkResponse({ standardSchema: stockResult })
  @ApiProblems({
    409: 'The reference was used for something else, or a later writer was faster',
    503: 'The lock of the thing was not to be had',
  })
  receive(
    @CurrentTenant() tenant: Tenant,
    @Param('sku', { schema: skuField }) sku: string,
    @Body({ schema: stockRequest }) request: StockRequest,
  ): Promise<StockResult> {
    return this.stock.receive(tenant.id, sku, request)
  }
}
