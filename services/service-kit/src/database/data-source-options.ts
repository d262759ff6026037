import type { DataSourceOptions, Logger } from 'typeorm'
import type { DatabaseDefinition } from './database-definition.js'

/** Where the database is, and how many connections to it may be open. */
export interface DatabaseConfig {
  readonly url: string
  readonly poolSize: number
}

/**
 * How TypeORM reaches the database; the same for an embedded and a real Postgres.
 * @param name of the service, as the server shows it beside its connections
 */
export function dataSourceOptions(
  name: string,
  { schema, entities, migrations }: DatabaseDefinition,
  { url, poolSize }: DatabaseConfig,
  logger: Logger,
): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    ...(schema === undefined ? {} : { schema }),
    logger,
    applicationName: `vextrus-${name}`,
    // Without these two TypeORM asks for the extension uuid-ossp, which the embedded Postgres doesn't have and nothing here needs.
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    poolSize,
    connectTimeoutMS: 10_000,
    entities: [...entities],
    migrations: [...migrations],
    synchronize: false,
  }
}
