import type { ServiceDefinition } from '@vextrus/service-kit'
import { AccountsModule } from './accounts/accounts.module.js'
import { CustomersModule } from './customers/customers.module.js'
import { database } from './database/database.js'
import { ExportsModule } from './exports/exports.module.js'
import { InvoicesModule } from './invoices/invoices.module.js'
import { ReportsModule } from './reports/reports.module.js'
import { StockModule } from './stock/stock.module.js'

/** The finance service: what is its own. */
export const finance: ServiceDefinition = {
  name: 'finance',
  title: 'Vextrus finance',
  description: 'Invoices, stock and accounts of the ERP’s tenants. Tenant data needs the header x-tenant-id.',
  tenancy: { required: true },
  cache: {
    // What one replica has answered as done, the next read of every other one shows: a hit of its memory asks Redis first whether anything changed.
    l1: { staleness: 'strict' },
  },
  ownKeys: ['invoice:*', 'invoices:*', 'report:revenue:*', 'stock:*', 'account:*'],
  database,
  features: [InvoicesModule, CustomersModule, StockModule, AccountsModule, ReportsModule, ExportsModule],
}
