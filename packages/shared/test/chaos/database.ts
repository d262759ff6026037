import { DataSource } from 'typeorm'
import type { ChaosKeys } from './keys.js'

/**
 * What the processes write. No table has a constraint that would help: no unique index over numbers, no check that stock is not below zero. What
 * holds, holds by locks and fences alone.
 */
const SCHEMA = [
  ...['counters (key text PRIMARY KEY, last bigint NOT NULL DEFAULT 0, fence bigint NOT NULL DEFAULT 0)'],
  ...['invoices (key text, number bigint, fence bigint, worker text)'],
  ...['items (key text PRIMARY KEY, amount bigint NOT NULL DEFAULT 0, fence bigint NOT NULL DEFAULT 0)'],
  ...['movements (id bigserial PRIMARY KEY, key text, quantity bigint, remaining bigint)'],
  ...['accounts (key text PRIMARY KEY, amount bigint NOT NULL DEFAULT 0, fence bigint NOT NULL DEFAULT 0)'],
  ...['postings (id bigserial PRIMARY KEY, key text, amount bigint)'],
  // Each accepted write, in the order of the commits of its key; each lock that was handed out; when locks were held, in µs of the database.
  ...['writes (id bigserial PRIMARY KEY, key text, fence bigint, worker text)'],
  ...['grants (key text, fence bigint, worker text)'],
  ...['sections (key text, fence bigint, begins bigint, ends bigint, worker text)'],
  ...['acknowledged (key text, fence bigint, number bigint, worker text)'],
].map((table) => `CREATE TABLE ${table}`)

/** The database of one run, on a Postgres that several runs may share. */
export class ChaosDatabase {
  static async create(server: string, keys: ChaosKeys): Promise<ChaosDatabase> {
    const name = `chaos_${++databases}`
    const admin = await connected(server)
    await admin.query(`CREATE DATABASE ${name}`)
    await admin.destroy()
    const { href } = Object.assign(new URL(server), { pathname: `/${name}` })
    const database = new ChaosDatabase(href, await connected(href))
    for (const table of SCHEMA) await database.query(table)
    for (const [table, list] of [
      ['counters', keys.numbers],
      ['items', keys.stock],
      ['accounts', keys.accounts],
    ] as const) {
      for (const { key } of list) await database.query(`INSERT INTO ${table} (key) VALUES ($1)`, [key])
    }
    return database
  }

  private constructor(
    readonly url: string,
    private readonly source: DataSource,
  ) {}

  query<Row>(statement: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return this.source.query<Row[]>(statement, [...parameters])
  }

  /** A later holder of the lock has written. */
  async overtaken(key: string, fence: string): Promise<boolean> {
    const rows = await this.query(
      `SELECT 1 FROM (SELECT key, fence FROM counters UNION ALL SELECT key, fence FROM items UNION ALL SELECT key, fence FROM accounts) AS all_rows
       WHERE key = $1 AND fence > $2`,
      [key, fence],
    )
    return rows.length > 0
  }

  async close(): Promise<void> {
    await this.source.destroy()
  }
}

let databases = 0

function connected(url: string): Promise<DataSource> {
  return new DataSource({ type: 'postgres', url, installExtensions: false, poolSize: 2 }).initialize()
}
