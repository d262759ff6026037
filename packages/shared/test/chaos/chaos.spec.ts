import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresPrograms, type RealPostgres, startRealPostgres } from '../support/real-postgres.js'
import { chaos, type ChaosReport } from './chaos.js'
import { CHAOS_FAULTS, type ChaosFault } from './faults.js'
import { shown } from './report.js'
import { MISSING } from './teeth.js'

const seed = Number(process.env['CHAOS_SEED'] ?? 20_261)

if (postgresPrograms === undefined) console.log('chaos: skipped, no Postgres server is installed (initdb, postgres)')

/** Locks and fences with real processes on a real Postgres: see README.md for the run, judge.ts for what it is held to. */
describe.skipIf(postgresPrograms === undefined)('six processes that write under locks', () => {
  let postgres: RealPostgres

  beforeAll(async () => {
    postgres = await startRealPostgres(postgresPrograms ?? '')
  })

  afterAll(() => postgres?.stop())

  const expectRight = (report: ChaosReport): void => {
    console.log(shown(report))
    expect(report.wrong, `seed ${report.seed}`).toEqual([])
    expect(report.keysWithoutTtl).toEqual([])
    // Somebody was late: else it was no test of fences.
    expect(report.counts['refused']).toBeGreaterThan(0)
    for (const what of ['numbers', 'deductions', 'postings', 'notEnough'])
      expect(report.counts[what], what).toBeGreaterThan(0)
  }

  it(
    'lose no number, oversell nothing and balance, whatever befalls them, and never hold a lock together',
    { timeout: 240_000 },
    async () => {
      const report = await chaos({ postgres: postgres.url, seed, numbers: 400, seconds: 150, faultEvery: 45 })
      expectRight(report)
      expect(Object.keys(report.faults).sort()).toEqual([...new Set(CHAOS_FAULTS)].sort())
      expect(report.together).toEqual({})
      expect(report.counts['refusedAfterStop']).toBeGreaterThan(0)
    },
  )

  it('nor under Sentinels, while another server becomes the master', { timeout: 240_000 }, async () => {
    const faults: readonly ChaosFault[] = [
      ...(['SIGSTOP between assertHeld and the write', 'SIGKILL of a holder'] as const),
      ...(['wake-up connection half-open', 'network held, then cut'] as const),
    ]
    const report = await chaos({
      ...{ postgres: postgres.url, seed, topology: 'sentinel', topologyFaults: 2 },
      ...{ numbers: 200, seconds: 150, faults, faultEvery: 40 },
    })
    expectRight(report)
    expect(report.faults['SENTINEL FAILOVER']).toBeGreaterThan(0)
    expect(report.faults['SIGKILL of the master']).toBeGreaterThan(0)
  })

  it('do it wrong where the database does not look at fences', { timeout: 240_000 }, async () => {
    const options = { fenced: false, untilWrong: true, numbers: 5_000, seconds: 150, faultEvery: 30 }
    const report = await chaos({ postgres: postgres.url, seed, ...options })
    // Which of them a late writer breaks first is chance.
    expect(report.wrong.map(({ rule }) => rule)).toContainEqual(
      expect.stringMatching(/^(fences strictly increase|stock is|a balance is|fences increase)/),
    )
  })
})

describe('the bugs that `npm run chaos -- --teeth` must find', () => {
  it.each(MISSING.flatMap(({ name, edits = [] }) => edits.map((edit) => ({ name, ...edit }))))(
    'fit the source as it is: $name',
    ({ file, find }) => {
      const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8')
      expect(source.split(find)).toHaveLength(2)
    },
  )
})
