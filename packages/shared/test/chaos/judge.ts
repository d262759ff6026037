import type { ChaosDatabase } from './database.js'

/** Something that must never be. */
export interface Wrong {
  readonly rule: string
  readonly details: unknown
}

/** What must hold by locks and fences together, whatever befalls the processes and the servers. No row: it does. */
const ALWAYS: Readonly<Record<string, string>> = {
  'fences strictly increase in the order of the commits': `
    SELECT * FROM (SELECT *, lag(fence) OVER (PARTITION BY key ORDER BY id) AS before FROM writes) AS w WHERE fence <= before`,
  'no two grants share a fence': `
    SELECT key, fence, array_agg(worker) AS workers FROM grants GROUP BY key, fence HAVING count(*) > 1`,
  'nobody writes with a fence that was not handed out': `
    SELECT key, fence, worker FROM writes EXCEPT SELECT key, fence, worker FROM grants`,
  'numbers have no gap and no double': `
    SELECT c.key, c.last, count(i.number) AS numbers, count(DISTINCT i.number) AS distinct_numbers, min(i.number), max(i.number)
    FROM counters c LEFT JOIN invoices i USING (key) GROUP BY c.key
    HAVING NOT (count(i.number) = c.last AND count(DISTINCT i.number) = c.last AND coalesce(max(i.number), 0) = c.last AND coalesce(min(i.number), 1) = 1)`,
  'what was acknowledged is there, and belongs to nobody else': `
    SELECT a.* FROM acknowledged a
    WHERE NOT EXISTS (SELECT 1 FROM invoices i WHERE i.key = a.key AND i.number = a.number AND i.fence = a.fence AND i.worker = a.worker)`,
  'stock is never below zero': `
    SELECT * FROM (SELECT *, sum(quantity) OVER (PARTITION BY key ORDER BY id) AS there FROM movements) AS m
    WHERE there < 0 OR there <> remaining`,
  'stock is what came and went': `
    SELECT key, amount, coalesce(sum(quantity), 0) AS moved FROM items LEFT JOIN movements m USING (key) GROUP BY key, amount
    HAVING amount <> coalesce(sum(quantity), 0)`,
  'a balance is the sum of its postings': `
    SELECT a.key, a.amount AS balance, coalesce(sum(p.amount), 0) AS posted FROM accounts a LEFT JOIN postings p USING (key)
    GROUP BY a.key, a.amount HAVING a.amount <> coalesce(sum(p.amount), 0)`,
  'money neither comes nor goes': 'SELECT sum(amount) FROM postings HAVING sum(amount) <> 0',
}

/** Sections of a key that begin while an earlier one still lasts. */
const TOGETHER = `
  SELECT * FROM (SELECT *, max(ends) OVER (PARTITION BY key ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until FROM sections) AS s
  WHERE begins < until`

/** What locks promise by themselves while no server loses what it has acknowledged. */
const WITHOUT_FAILOVER: Readonly<Record<string, string>> = {
  'nobody holds a lock together with somebody else': TOGETHER,
  'fences increase from one holder to the next': `
    SELECT * FROM (SELECT *, lag(fence) OVER (PARTITION BY key ORDER BY begins) AS before FROM sections) AS s WHERE fence <= before`,
}

const SHOWN = 3

/** @param loses a failover may have lost locks */
export async function judge(database: ChaosDatabase, loses: boolean): Promise<Wrong[]> {
  const wrong: Wrong[] = []
  for (const [rule, statement] of Object.entries({ ...ALWAYS, ...(loses ? {} : WITHOUT_FAILOVER) })) {
    const rows = await database.query(statement)
    wrong.push(...rows.slice(0, SHOWN).map((details) => ({ rule, details })))
  }
  return wrong
}

/** What is in the database. */
export interface Figures {
  readonly numbers: number
  readonly deductions: number
  readonly postings: number
  /** Locks that were handed out, and that were seen to be held while somebody wrote. */
  readonly grants: number
  readonly sections: number
  /** Sections of one lock that were under way at the same time, by how many replicas had to have it. */
  readonly together: Readonly<Record<string, number>>
}

export async function figures(database: ChaosDatabase, replicasOf: ReadonlyMap<string, number>): Promise<Figures> {
  const [row] = await database.query<Record<string, string>>(`
    SELECT (SELECT count(*) FROM invoices) AS numbers, (SELECT count(*) FROM movements WHERE quantity < 0) AS deductions,
           (SELECT count(*) FROM postings) AS postings, (SELECT count(*) FROM grants) AS grants, (SELECT count(*) FROM sections) AS sections`)
  const of = (name: string): number => Number(row![name])
  const together: Record<string, number> = {}
  for (const { key } of await database.query<{ key: string }>(TOGETHER)) {
    const name = `replicas: ${replicasOf.get(key)}`
    together[name] = (together[name] ?? 0) + 1
  }
  return {
    numbers: of('numbers'),
    deductions: of('deductions'),
    postings: of('postings'),
    grants: of('grants'),
    sections: of('sections'),
    together,
  }
}
