import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  idParam,
  type Page,
  type PageQuery,
  pageQuery,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import { CreateCustomer, DeleteCustomer, GetCustomer, ListCustomers, UpdateCustomer } from './customer.messages.js'
import {
  type CustomerChanges,
  customerChanges,
  type CustomerInput,
  customerInput,
  customerPage,
  customerSchema,
  type CustomerView,
} from './customer.schemas.js'

@ApiTags('customers')
@Controller('customers')
@TenantScoped()
export class CustomersController {
  constructor(
    private readonly queries: QueryBus,
    private readonly commands: CommandBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'A page of customers by name' })
  @CachedRead(customerPage)
  list(@CurrentTenant() tenant: Tenant, @Query({ schema: pageQuery }) page: PageQuery): Promise<Page<CustomerView>> {
    return this.queries.execute(new ListCustomers(tenant.id, page))
  }

  @Get(':id')
  @ApiOperation({ summary: 'One customer' })
  @CachedRead(customerSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<CustomerView> {
    return this.queries.execute(new GetCustomer(tenant.id, id))
  }

  @Post()
  @ApiOperation({ summary: 'Adds a customer, in the currency of the tenant' })
  @ApiCreatedResponse({ standardSchema: customerSchema })
  @ApiProblems({ 409: 'The code is taken' })
  create(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: customerInput }) input: CustomerInput,
  ): Promise<CustomerView> {
    return this.commands.execute(new CreateCustomer(tenant, input))
  }

  @Patch(':id')
  @ApiOperation({ summary: 'Changes some fields of a customer' })
  @ApiOkResponse({ standardSchema: customerSchema })
  update(
    @CurrentTenant() tenant: Tenant,
    @Param('id', { schema: idParam }) id: number,
    @Body({ schema: customerChanges }) changes: CustomerChanges,
  ): Promise<CustomerView> {
    return this.commands.execute(new UpdateCustomer(tenant.id, id, changes))
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Removes a customer' })
  @ApiNoContentResponse()
  delete(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<void> {
    return this.commands.execute(new DeleteCustomer(tenant.id, id))
  }
}
