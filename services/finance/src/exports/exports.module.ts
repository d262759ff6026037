import { Controller, HttpCode, Injectable, Module, Post } from '@nestjs/common'
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { InjectDataSource } from '@nestjs/typeorm'
import {
  CacheWrites,
  CurrentTenant,
  DomainEvent,
  DomainEvents,
  type Tenant,
  TenantScoped,
  tenantTag,
} from '@vextrus/service-kit'
import { DataSource } from 'typeorm'
import { z } from 'zod'
import { Account } from '../accounts/account.entities.js'
import { accountSchema, accountView } from '../accounts/account.schemas.js'
import { Customer } from '../customers/customer.entity.js'
import { customerSchema, customerView } from '../customers/customer.schemas.js'
import { Invoice } from '../invoices/invoice.entities.js'
import { invoiceSchema, invoiceView } from '../invoices/invoice.schemas.js'
import { StockItem } from '../stock/stock.entities.js'
import { stockItemSchema, stockItemView } from '../stock/stock.schemas.js'

const exportSchema = z.object({
  tenantId: z.string(),
  customers: z.array(customerSchema),
  invoices: z.array(invoiceSchema),
  stock: z.array(stockItemSchema),
  accounts: z.array(accountSchema),
})
export type TenantExport = z.infer<typeof exportSchema>

/** All data of a tenant were handed out. */
export class TenantExported extends DomainEvent {
  constructor(readonly tenantId: string) {
    super()
  }
}

/** All data of a tenant at one moment, for another system. Afterwards nobody reads anything older than what was handed out. */
@Injectable()
export class TenantExports {
  constructor(
    private readonly events: DomainEvents,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  async export(tenantId: string): Promise<TenantExport> {
    const handedOut = await this.dataSource.transaction('REPEATABLE READ', async (transaction) => {
      const customers = await transaction.find(Customer, { where: { tenantId, deleted: false }, order: { id: 'ASC' } })
      const invoices = await transaction.find(Invoice, { where: { tenantId }, order: { id: 'ASC' } })
      const stock = await transaction.find(StockItem, { where: { tenantId }, order: { sku: 'ASC' } })
      const accounts = await transaction.find(Account, { where: { tenantId }, order: { code: 'ASC' } })
      return {
        tenantId,
        customers: customers.map(customerView),
        invoices: invoices.map(invoiceView),
        stock: stock.map(stockItemView),
        accounts: accounts.map(accountView),
      }
    })
    await this.events.publish(new TenantExported(tenantId))
    return handedOut
  }
}

/** Everything cached of the tenant, in every service that shares the Redis, by the one tag that all of it carries. */
@EventsHandler(TenantExported)
export class InvalidateOnTenantExported implements IEventHandler<TenantExported> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: TenantExported): void {
    event.settle(this.cacheWrites.invalidate({ tags: [tenantTag(event.tenantId)] }))
  }
}

@ApiTags('exports')
@Controller('exports')
@TenantScoped()
export class ExportsController {
  constructor(private readonly exports: TenantExports) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'All data of the tenant at one moment; everything cached of it is read anew afterwards' })
  @ApiOkResponse({ standardSchema: exportSchema })
  export(@CurrentTenant() tenant: Tenant): Promise<TenantExport> {
    return this.exports.export(tenant.id)
  }
}

@Module({ controllers: [ExportsController], providers: [TenantExports, InvalidateOnTenantExported] })
export class ExportsModule {}
