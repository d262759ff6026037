import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { CreateCustomerHandler, DeleteCustomerHandler, UpdateCustomerHandler } from './customer-command.handlers.js'
import { ConfirmCustomer, InvalidateCustomerLists } from './customer-invalidation.handlers.js'
import { GetCustomerHandler, ListCustomersHandler } from './customer-query.handlers.js'
import { Customer } from './customer.entity.js'
import { CustomersController } from './customers.controller.js'

@Module({
  imports: [TypeOrmModule.forFeature([Customer])],
  controllers: [CustomersController],
  providers: [
    GetCustomerHandler,
    ListCustomersHandler,
    CreateCustomerHandler,
    UpdateCustomerHandler,
    DeleteCustomerHandler,
    InvalidateCustomerLists,
    ConfirmCustomer,
  ],
})
export class CustomersModule {}
