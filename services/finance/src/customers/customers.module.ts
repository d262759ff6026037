import { Body, Controller, Delete, Get, Module, Param, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { TypeOrmModule } from '@nestjs/typeorm'
import {
  CurrentTenant,
  idParam,
  type Page,
  type PageQuery,
  pageQuery,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import { Customer } from './customer.entity.js'
import {
  type CustomerDeletion,
  customerDeletion,
  type CustomerInput,
  customerInput,
  customerPage,
  customerSchema,
  type CustomerView,
} from './customer.schemas.js'
import { Customers } from './customers.js'

@ApiTags('customers')
@Controller('customers')
@TenantScoped()
export class CustomersController {
  constructor(private readonly customers: Customers) {}

  @Get()
  @ApiOperation({ summary: 'A page of customers by name, as they are in the database' })
  @ApiOkResponse({ standardSchema: customerPage })
  list(@CurrentTenant() tenant: Tenant, @Query({ schema: pageQuery }) page: PageQuery): Promise<Page<CustomerView>> {
    return this.customers.list(tenant.id, page)
  }

  @Post()
  @ApiOperation({ summary: 'Adds a customer' })
  @ApiCreatedResponse({ standardSchema: customerSchema })
  create(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: customerInput }) input: CustomerInput,
  ): Promise<CustomerView> {
    return this.customers.create(tenant.id, input)
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Removes a customer and its drafts; what it owes is made void' })
  @ApiOkResponse({ standardSchema: customerDeletion })
  delete(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<CustomerDeletion> {
    return this.customers.delete(tenant.id, id)
  }
}

@Module({
  imports: [TypeOrmModule.forFeature([Customer])],
  controllers: [CustomersController],
  providers: [Customers],
})
export class CustomersModule {}
