import type { DataSourceOptions, Logger } from 'typeorm'
import { Customer } from '../customers/customer.entity.js'
import { Country, Currency, TaxCode } from '../lookups/lookup.entities.js'
import { Category, Product, Supplier } from '../products/product.entities.js'
import { Tenant } from '../tenants/tenant.entity.js'
import { CreateMasterData1764000000000 } from './migrations/1764000000000-create-master-data.js'

/** Where the database is, and how many connections to it may be open. */
export interface DatabaseConfig {
  readonly url: string
  readonly poolSize: number
}

/** How TypeORM reaches the database; the same for an embedded and a real Postgres. */
export function dataSourceOptions({ url, poolSize }: DatabaseConfig, logger: Logger): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    logger,
    applicationName: 'vextrus-master-data',
    // Without these two TypeORM asks for the extension uuid-ossp, which the embedded Postgres doesn't have and nothing here needs.
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    poolSize,
    connectTimeoutMS: 10_000,
    entities: [Tenant, Country, Currency, TaxCode, Category, Supplier, Product, Customer],
    migrations: [CreateMasterData1764000000000],
    synchronize: false,
  }
}
