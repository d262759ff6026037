import { describe, expect, it } from 'vitest'
import { race, summary } from './race.js'

const seed = Number(process.env['RACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** Promises P1, P4 and P5 with real processes: see race.ts for the run and actor.mjs for what each read is held to. */
describe('four processes that read and write the same keys', () => {
  it(
    'never read a value that an acknowledged invalidation has overtaken, whatever befalls them',
    { timeout: 120_000 },
    async () => {
      const report = await race({ seed, mode: 'vextrus', rounds: 10_000, seconds: 40, faults: true })
      console.log(`race: ${summary(report)}`)
      expect(report.violations, `seed ${seed}`).toEqual([])
      expect(report.keysWithoutTtl).toEqual([])
      // It was a race: enough rounds, values that came from the cache, and loads that others waited for.
      expect(report.counts['rounds']).toBeGreaterThan(3_000)
      expect(report.counts['hits']).toBeGreaterThan(report.counts['misses']! / 4)
      for (const [fault, count] of Object.entries(report.faults)) expect(count, fault).toBeGreaterThan(0)
    },
  )

  it('do read stale values with the usual cache-aside, by the same rules', { timeout: 60_000 }, async () => {
    const report = await race({ seed, mode: 'naive', rounds: 4_000, seconds: 30 })
    console.log(`race, naive: ${summary(report)}`)
    for (const family of ['plain', 'tagged']) {
      expect(report.counts[`stale ${family}`], `${family} keys, seed ${seed}`).toBeGreaterThan(0)
    }
  })
})
