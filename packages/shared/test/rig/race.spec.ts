import { describe, expect, it } from 'vitest'
import { FAULTS, NEAR_FAULTS } from './faults.js'
import { race } from './race.js'
import { summary } from './report.js'
import { shownStaleness, stalenessOf } from './staleness.js'

const seed = Number(process.env['RACE_SEED'] ?? 20_261)

/** Promises P1, P2, P4 and P5 with real processes: see race.ts for the run, judge.mjs and burst.mjs for what each read is held to. */
describe('four processes that read and write the same keys', () => {
  it(
    'never read a value that an acknowledged invalidation has overtaken, whatever befalls them',
    { timeout: 180_000 },
    async () => {
      const report = await race({ seed, mode: 'vextrus', rounds: 5_200, seconds: 100, faults: true })
      console.log(`race: ${summary(report)}\n${shownStaleness(report.counts)}`)
      expect(report.violations, `seed ${seed}`).toEqual([])
      expect(report.keysWithoutTtl).toEqual([])
      // It was a race: enough rounds, and values that came from the cache.
      expect(report.counts['rounds']).toBeGreaterThan(3_000)
      expect(report.counts['hits']).toBeGreaterThan(report.counts['misses']! / 4)
      expect(Object.keys(report.faults).sort()).toEqual([...FAULTS].sort())
      expect(report.counts['l1Hits']).toBeGreaterThan(30_000)
      expect(report.counts['judgedAfterBlocking']).toBeGreaterThan(0)
      // Some were behind, within what P2 allows: the referee sees it.
      expect(stalenessOf(report.counts, undefined).stale).toBeGreaterThan(0)
      for (const what of ['committedUnderHold', 'duel', 'deletePattern', 'nested', 'graceHits', 'replayed']) {
        expect(report.counts[what], what).toBeGreaterThan(0)
      }
    },
  )

  it.each([
    ['sentinel', ['SENTINEL FAILOVER', 'SIGKILL of the master']],
    ['cluster', ['slot of a key migrated', 'SIGKILL of a master', 'slot of the tag clock migrated']],
  ] as const)('nor on a %s, while it changes', { timeout: 180_000 }, async (topology, faults) => {
    const topologyFaults = faults.length
    const report = await race({
      seed,
      topology,
      mode: 'vextrus',
      rounds: 1_800,
      seconds: 100,
      faults: { faults: NEAR_FAULTS },
      faultEvery: { rounds: 130 },
      topologyFaults,
    })
    console.log(`race: ${summary(report)}`)
    expect(report.violations, `seed ${seed}`).toEqual([])
    expect(report.keysWithoutTtl).toEqual([])
    expect(report.counts['rounds']).toBeGreaterThan(800)
    expect(report.counts['l1Hits']).toBeGreaterThan(3_000)
    for (const fault of NEAR_FAULTS) expect(report.faults[fault], fault).toBeGreaterThan(0)
    for (const fault of faults) expect(report.faults[fault], fault).toBeGreaterThan(0)
  })

  it('do read stale values with the usual cache-aside, by the same rules', { timeout: 180_000 }, async () => {
    const report = await race({ seed, mode: 'naive', rounds: 4_000, seconds: 30 })
    console.log(`race, naive: ${summary(report)}`)
    for (const family of ['plain', 'tagged']) {
      expect(report.counts[`stale ${family}`], `${family} keys, seed ${seed}`).toBeGreaterThan(0)
    }
  })
})
