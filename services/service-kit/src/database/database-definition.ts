import type { MigrationInterface } from 'typeorm'

/** Rows of each table in the order in which they can be inserted; the keys are column names. */
export type SeedData = readonly (readonly [table: string, rows: readonly Readonly<Record<string, unknown>>[]])[]

/** The part of a Postgres that belongs to one service. */
export interface DatabaseDefinition {
  /**
   * The schema that holds its tables, created when it is missing: services that are given the same database must not share one.
   * @default the connection's own, usually `public`
   */
  readonly schema?: string
  readonly entities: readonly (new () => object)[]
  /** The first one also creates `tenants` (see `tenants/tenant.entity.ts`) and `seed_runs (name, checksum, finished_at)`. */
  readonly migrations: readonly (new () => MigrationInterface)[]
  /** What an empty database is filled with. Pure: the same rows whenever it is called. */
  seed(): SeedData
}
