import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  idParam,
  type Page,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import { InvoiceCommands } from './invoice.commands.js'
import { InvoiceQueries } from './invoice.queries.js'
import {
  type BulkStatusChange,
  bulkStatusChange,
  type BulkStatusResult,
  bulkStatusResult,
  type InvoiceInput,
  invoiceInput,
  type InvoiceListQuery,
  invoiceListQuery,
  invoicePage,
  invoiceSchema,
  type InvoiceView,
  type StatusChange,
  statusChange,
} from './invoice.schemas.js'

@ApiTags('invoices')
@Controller('invoices')
@TenantScoped()
export class InvoicesController {
  constructor(
    private readonly queries: InvoiceQueries,
    private readonly commands: InvoiceCommands,
  ) {}

  @Get()
  @ApiOperation({ summary: 'A page of invoices, the newest first; of a status or a customer when one is named' })
  @CachedRead(invoicePage)
  list(
    @CurrentTenant() tenant: Tenant,
    @Query({ schema: invoiceListQuery }) query: InvoiceListQuery,
  ): Promise<Page<InvoiceView>> {
    return this.queries.list(tenant.id, query)
  }

  @Get(':id')
  @ApiOperation({ summary: 'One invoice' })
  @CachedRead(invoiceSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<InvoiceView> {
    return this.queries.get(tenant.id, id)
  }

  @Post()
  @ApiOperation({ summary: 'Adds a draft, in the currency of the tenant' })
  @ApiCreatedResponse({ standardSchema: invoiceSchema })
  create(@CurrentTenant() tenant: Tenant, @Body({ schema: invoiceInput }) input: InvoiceInput): Promise<InvoiceView> {
    return this.commands.create(tenant, input)
  }

  @Post('bulk-status')
  @HttpCode(200)
  @ApiOperation({ summary: 'Gives another status to all invoices that have the one, or to some of them' })
  @ApiOkResponse({ standardSchema: bulkStatusResult })
  @ApiProblems({ 409: 'A later writer of the numbers was faster', 503: 'The lock of the numbers was not to be had' })
  changeStatuses(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: bulkStatusChange }) change: BulkStatusChange,
  ): Promise<BulkStatusResult> {
    return this.commands.changeStatuses(tenant.id, change)
  }

  @Patch(':id/status')
  @ApiOperation({ summary: 'Issues an invoice, which gives it its number; or says that it was paid, or is void' })
  @ApiOkResponse({ standardSchema: invoiceSchema })
  @ApiProblems({
    409: 'It can’t get this status, has another version by now, or a later writer of the numbers was faster',
    503: 'The lock of the numbers was not to be had',
  })
  changeStatus(
    @CurrentTenant() tenant: Tenant,
    @Param('id', { schema: idParam }) id: number,
    @Body({ schema: statusChange }) change: StatusChange,
  ): Promise<InvoiceView> {
    return this.commands.changeStatus(tenant.id, id, change)
  }
}
