import type { ServiceDefinition } from '@vextrus/service-kit'
import { CustomersModule } from './customers/customers.module.js'
import { database } from './database/database.js'
import { LookupsModule } from './lookups/lookups.module.js'
import { ProductsModule } from './products/products.module.js'
import { ReportsModule } from './reports/reports.module.js'

/** The master-data service: what is its own. */
export const masterData: ServiceDefinition = {
  name: 'master-data',
  title: 'Vextrus master data',
  description: 'Products, customers and lookup data of the ERP. Tenant data needs the header x-tenant-id.',
  tenancy: {
    required: true,
    // Reference data, which belongs to nobody: the first segments of its keys (`lookups/lookup.queries.ts`).
    global: ['countries', 'country', 'currencies', 'tax-codes'],
  },
  ownKeys: [
    'product:*',
    'product-summary:*',
    'products:*',
    'customer:*',
    'customers:*',
    'categories:*',
    'suppliers:*',
    'report:stock-value:*',
    'countries:*',
    'country:*',
    'currencies:*',
    'tax-codes:*',
  ],
  database,
  features: [LookupsModule, ProductsModule, CustomersModule, ReportsModule],
}
