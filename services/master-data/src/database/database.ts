import { type DatabaseDefinition, Tenant } from '@vextrus/service-kit'
import { Customer } from '../customers/customer.entity.js'
import { Country, Currency, TaxCode } from '../lookups/lookup.entities.js'
import { Category, Product, Supplier } from '../products/product.entities.js'
import { seedData } from '../seed/seed-data.js'
import { CreateMasterData1764000000000 } from './migrations/1764000000000-create-master-data.js'

/** The tables of this service, in the connection's own schema. */
export const database: DatabaseDefinition = {
  entities: [Tenant, Country, Currency, TaxCode, Category, Supplier, Product, Customer],
  migrations: [CreateMasterData1764000000000],
  seed: seedData,
}
