import { type DatabaseDefinition, Tenant } from '@vextrus/service-kit'
import { Customer } from '../customers/customer.entity.js'
import { Invoice, InvoiceCounter } from '../invoices/invoice.entities.js'
import { Account, Posting, Transfer } from '../accounts/account.entities.js'
import { seedData } from '../seed/seed-data.js'
import { StockItem, StockMovement } from '../stock/stock.entities.js'
import { CreateFinance1764200000000 } from './migrations/1764200000000-create-finance.js'

/** The tables of this service. */
export const database: DatabaseDefinition = {
  schema: 'finance',
  entities: [Tenant, Customer, Invoice, InvoiceCounter, StockItem, StockMovement, Account, Transfer, Posting],
  migrations: [CreateFinance1764200000000],
  seed: seedData,
}
