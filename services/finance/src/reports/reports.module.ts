import { Controller, Get, Module } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { TypeOrmModule } from '@nestjs/typeorm'
import { CachedRead, CurrentTenant, Tenant, TenantScoped } from '@vextrus/service-kit'
import { RevenueRefresh } from './revenue-refresh.js'
import { type Revenue, RevenueReport, revenueSchema } from './revenue.report.js'

@ApiTags('reports')
@Controller('reports')
@TenantScoped()
export class ReportsController {
  constructor(private readonly revenueReport: RevenueReport) {}

  @Get('revenue')
  @ApiOperation({ summary: 'Number and total of the invoices that were issued, paid and made void' })
  @CachedRead(revenueSchema)
  revenue(@CurrentTenant() tenant: Tenant): Promise<Revenue> {
    return this.revenueReport.get(tenant.id)
  }
}

@Module({
  imports: [TypeOrmModule.forFeature([Tenant])],
  controllers: [ReportsController],
  providers: [RevenueReport, RevenueRefresh],
})
export class ReportsModule {}
