import { Controller, Get, Module } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CachedRead, CurrentTenant, type Tenant, TenantScoped } from '@vextrus/service-kit'
import { InvalidateStockValue, type StockValue, StockValueReport, stockValueSchema } from './stock-value.report.js'

@ApiTags('reports')
@Controller('reports')
@TenantScoped()
export class ReportsController {
  constructor(private readonly stockValueReport: StockValueReport) {}

  @Get('stock-value')
  @ApiOperation({ summary: 'Number of products and value of the stock, by category' })
  @CachedRead(stockValueSchema)
  stockValue(@CurrentTenant() tenant: Tenant): Promise<StockValue> {
    return this.stockValueReport.get(tenant.id)
  }
}

@Module({ controllers: [ReportsController], providers: [StockValueReport, InvalidateStockValue] })
export class ReportsModule {}
