import pg from 'pg'

/** Postgres has 100 for all of them. */
const CONNECTIONS = 12

/** Whoever got the lock later has written already. */
export class StaleWriter extends Error {
  constructor() {
    super('a later holder of the lock has written')
  }
}

/**
 * The tables of schema.ts, as a process writes them. What a lock protects is written by `UPDATE … WHERE fence <= $fence` and nothing else; the
 * tables have no constraint that would come to its help.
 */
export class Ledger {
  #pool
  #guard
  #worker
  /** Not yet told to the database. */
  #sections = []
  #acknowledged = []

  /** @param {{ databaseUrl: string, fenced: boolean, name: string }} options `fenced`: false leaves the check out, to see what happens then */
  constructor({ databaseUrl, fenced, name }) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS })
    this.#guard = fenced ? 'fence <= $2' : '$2::bigint IS NOT NULL'
    this.#worker = name
  }

  /** Somebody was handed a lock. Answers the time of the database, µs: it holds it then. */
  async granted(key, fence) {
    const { rows } = await this.#pool.query(
      `INSERT INTO grants (key, fence, worker) VALUES ($1, $2, $3) RETURNING ${NOW} AS now`,
      [key, fence, this.#worker],
    )
    return rows[0].now
  }

  /** What `work` answers; nothing of it is done when it throws. */
  async transaction(work) {
    const client = await this.#pool.connect()
    try {
      await client.query('BEGIN')
      const result = await work(client)
      await client.query('COMMIT')
      return result
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  }

  /** As the invoices of services/finance get theirs. @throws StaleWriter */
  nextNumber(client, held) {
    return this.#write(client, held, {
      update: 'UPDATE counters SET last = last + 1, fence = $2',
      returning: 'last',
      record: 'invoices (key, number, fence, worker) SELECT $1, value, $2, $3',
      parameters: [],
    })
  }

  /**
   * Reads what the writer is going to change, so that no earlier holder changes it any more: without this one that was stopped could still
   * write between this reading and the writing. @param {'items' | 'accounts'} table @throws StaleWriter
   */
  async claim(table, { key, fence }) {
    const { rows } = await this.#pool.query(
      `UPDATE ${table} SET fence = $2 WHERE key = $1 AND ${this.#guard} RETURNING amount`,
      [key, fence],
    )
    if (rows.length === 0) throw new StaleWriter()
    return Number(rows[0].amount)
  }

  /** Nothing here keeps the amount above zero: whoever asks has read it. @throws StaleWriter */
  moveStock(client, held, quantity) {
    return this.#write(client, held, {
      update: 'UPDATE items SET amount = amount + $4::bigint, fence = $2',
      returning: 'amount',
      record: 'movements (key, quantity, remaining) SELECT $1, $4::bigint, value',
      parameters: [quantity],
    })
  }

  /** The balance as the writer has worked it out from what it has read. @throws StaleWriter */
  post(client, held, amount, balance) {
    return this.#write(client, held, {
      update: 'UPDATE accounts SET amount = $5::bigint, fence = $2',
      returning: 'amount',
      record: 'postings (key, amount) SELECT $1, $4::bigint',
      parameters: [amount, balance],
    })
  }

  /**
   * One write with its fence, what it is about, and that it was: both come behind the update that locks the row, so they stand in the order of
   * the commits. Answers the new value and the time of the database, µs.
   */
  async #write(client, { key, fence }, { update, returning, record, parameters }) {
    const { rows } = await client.query(
      `WITH written AS (${update} WHERE key = $1 AND ${this.#guard} RETURNING ${returning} AS value),
            recorded AS (INSERT INTO ${record} FROM written),
            noted AS (INSERT INTO writes (key, fence, worker) SELECT $1, $2, $3 FROM written RETURNING ${NOW} AS now)
       SELECT value, now FROM written, noted`,
      [key, fence, this.#worker, ...parameters],
    )
    if (rows.length === 0) throw new StaleWriter()
    return { value: Number(rows[0].value), at: rows[0].now }
  }

  /** The time of the database, µs. */
  async now() {
    const { rows } = await this.#pool.query(`SELECT ${NOW} AS now`)
    return rows[0].now
  }

  /** The lock was held from one time to the other, µs. */
  held({ key, fence, begins }, ends) {
    this.#sections.push([key, fence, begins, ends])
  }

  /** Its commit was answered. */
  acknowledged({ key, fence }, number) {
    this.#acknowledged.push([key, fence, number])
  }

  /** What the process has seen, for the judge. */
  async flush() {
    const [sections, acknowledged] = [this.#sections.splice(0), this.#acknowledged.splice(0)]
    const column = (rows, i) => rows.map((row) => String(row[i]))
    if (sections.length > 0)
      await this.#pool.query(
        `INSERT INTO sections (key, fence, begins, ends, worker)
         SELECT *, $5 FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])`,
        [...[0, 1, 2, 3].map((i) => column(sections, i)), this.#worker],
      )
    if (acknowledged.length > 0)
      await this.#pool.query(
        `INSERT INTO acknowledged (key, fence, number, worker) SELECT *, $4 FROM unnest($1::text[], $2::bigint[], $3::bigint[])`,
        [...[0, 1, 2].map((i) => column(acknowledged, i)), this.#worker],
      )
  }

  close() {
    return this.#pool.end()
  }
}

/** Of all processes the same clock. */
const NOW = '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint'
