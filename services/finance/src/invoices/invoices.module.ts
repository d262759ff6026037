import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import {
  InvalidateOnCustomerDeleted,
  InvalidateOnInvoiceCreated,
  InvalidateOnInvoicesStatusChanged,
  InvalidateOnInvoiceStatusChanged,
} from './invoice-invalidation.handlers.js'
import { InvoiceNumbers } from './invoice-numbers.js'
import { InvoiceCommands } from './invoice.commands.js'
import { Invoice } from './invoice.entities.js'
import { InvoiceQueries } from './invoice.queries.js'
import { InvoicesController } from './invoices.controller.js'

@Module({
  imports: [TypeOrmModule.forFeature([Invoice])],
  controllers: [InvoicesController],
  providers: [
    InvoiceQueries,
    InvoiceCommands,
    InvoiceNumbers,
    InvalidateOnInvoiceCreated,
    InvalidateOnInvoiceStatusChanged,
    InvalidateOnInvoicesStatusChanged,
    InvalidateOnCustomerDeleted,
  ],
})
export class InvoicesModule {}
