import { createHash } from 'node:crypto'
import { DataSource, type DataSourceOptions, type EntityManager, type Logger } from 'typeorm'
import { dataSourceOptions } from './data-source-options.js'
import type { DatabaseDefinition, SeedData } from './database-definition.js'

/** Any number that no other program uses for an advisory lock of this database. */
const LOCK = 7_264_901_118

/** Rows in one statement: one JSON parameter of about a megabyte. */
const CHUNK = 2_500

/**
 * Brings a database to the schema and fills it, once: a second run finds nothing to do. Of several processes that start at the same time one
 * does the work and the others wait for it. Data that was seeded before is never touched, also when the seed has changed since.
 * @returns whether the database was empty
 */
export async function prepareDatabase(
  name: string,
  definition: DatabaseDefinition,
  url: string,
  logger: Logger,
  say: (line: string) => void,
): Promise<boolean> {
  const options = dataSourceOptions(name, definition, { url, poolSize: 2 }, logger)
  const dataSource = await connect(options)
  try {
    const holder = dataSource.createQueryRunner()
    try {
      // Held by this connection, outside a transaction; it goes with the connection.
      await holder.query('SELECT pg_advisory_lock($1)', [LOCK])
      if (definition.schema !== undefined) await holder.query(`CREATE SCHEMA IF NOT EXISTS ${definition.schema}`)
      const migrations = await dataSource.runMigrations({ transaction: 'each' })
      if (migrations.length > 0) say(`schema: ${migrations.length} migration(s) applied`)
      const seeded = await seedOnce(dataSource, definition, say)
      await holder.query('SELECT pg_advisory_unlock($1)', [LOCK])
      return seeded
    } finally {
      await holder.release()
    }
  } finally {
    await dataSource.destroy()
  }
}

async function connect(options: DataSourceOptions): Promise<DataSource> {
  try {
    return await new DataSource(options).initialize()
  } catch (cause) {
    // Node's error about several addresses has a code, and no message of its own.
    const { message, code } = cause as NodeJS.ErrnoException
    const why = message === '' ? (code ?? 'no connection') : message
    throw new Error(`the database can't be reached, look at DATABASE_URL: ${why}`, { cause })
  }
}

async function seedOnce(
  dataSource: DataSource,
  { schema, seed }: DatabaseDefinition,
  say: (line: string) => void,
): Promise<boolean> {
  const qualified = (table: string) => (schema === undefined ? table : `${schema}.${table}`)
  const runs = qualified('seed_runs')
  const done: unknown[] = await dataSource.query(`SELECT 1 FROM ${runs} WHERE name = 'base'`)
  if (done.length > 0) {
    say('seed: already there')
    return false
  }
  const started = performance.now()
  const data = seed()
  // One transaction: a process that dies half-way leaves an empty database, not half a seed.
  await dataSource.transaction(async (transaction) => {
    for (const [table, rows] of data) {
      await insert(transaction, qualified(table), rows)
      say(`seed: ${rows.length.toLocaleString('en')} ${table.replace('_', ' ')}`)
    }
    await transaction.query(`INSERT INTO ${runs} (name, checksum) VALUES ('base', $1)`, [checksum(data)])
  })
  say(`seed: done in ${((performance.now() - started) / 1_000).toFixed(1)} s`)
  return true
}

async function insert(transaction: EntityManager, table: string, rows: SeedData[number][1]): Promise<void> {
  for (let from = 0; from < rows.length; from += CHUNK) {
    await transaction.query(`INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`, [
      JSON.stringify(rows.slice(from, from + CHUNK)),
    ])
  }
  // The rows came with their ids; the next id of the table is the one after them.
  if (typeof rows[0]?.['id'] === 'number') {
    await transaction.query(`SELECT setval(pg_get_serial_sequence($1, 'id'), (SELECT max(id) FROM ${table}))`, [table])
  }
}

/** SHA-256 of the rows, as hexadecimal digits. */
export function checksum(data: SeedData): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('hex')
}
