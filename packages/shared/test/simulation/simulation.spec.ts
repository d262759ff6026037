import { describe, expect, it } from 'vitest'
import { type Happened, simulate, simulateLoads } from './simulate.js'

/**
 * Thousands of small worlds, one a seed. A seed that fails is told with its number and its story; `VEXTRUS_SIMULATION=710:1` runs that one
 * alone, `VEXTRUS_SIMULATION=1:100000` many more.
 */
const [first = 1, count = 3_000] = (process.env['VEXTRUS_SIMULATION'] ?? '').split(':').filter(Boolean).map(Number)
const PART = 500
const parts = Array.from({ length: Math.ceil(count / PART) }, (_, i) => first + i * PART)
const TIMEOUT_MS = 120_000

async function runs(from: number, to: number, run: (seed: number) => Promise<Happened>): Promise<Happened> {
  const total: Happened = {}
  for (let seed = from; seed < to; seed++) {
    for (const [kind, times] of Object.entries(await run(seed))) total[kind] = (total[kind] ?? 0) + times
  }
  return total
}

describe('the engine in a world of late, lost and reordered messages', () => {
  it.each(parts)(
    'answers nothing older than what was invalidated before the read began, from seed %i on',
    async (from) => {
      const happened = await runs(from, Math.min(from + PART, first + count), simulate)
      expect(happened['acknowledged']).toBeGreaterThan(0)
    },
    TIMEOUT_MS,
  )

  it(
    'loads each key once while nobody writes and nothing fails',
    async () => {
      const { loads } = await runs(1, 151, simulateLoads)
      expect(loads).toBeGreaterThan(100)
    },
    TIMEOUT_MS,
  )

  it(
    'has in it all that it is about: the worlds are not empty',
    async () => {
      const happened = await runs(1, 151, simulate)
      const least: Record<string, number> = {
        hits: 500,
        loads: 500,
        'loads of many': 20,
        acknowledged: 300,
        unavailable: 3,
        read: 2_000,
        tags: 100,
        acquire: 500,
        fill: 300,
        renew: 3,
        release: 100,
        set: 50,
        delete: 50,
        bumpTags: 100,
        clear: 30,
        deletePattern: 30,
        placeHold: 30,
        endHold: 30,
        renewHold: 3,
        finishHolds: 3,
        'commits under a hold': 30,
        'a process dies': 3,
        'stale hits': 3,
        aborts: 3,
        'the clock is lost': 30,
        'an entry is evicted': 20,
        'a lease is evicted': 20,
        'an answer is lost': 20,
        'time passes': 30,
      }
      const tooFew = Object.entries(least).filter(([kind, times]) => (happened[kind] ?? 0) < times)
      expect(tooFew).toEqual([])
    },
    TIMEOUT_MS,
  )
})
