import { describe, expect, it } from 'vitest'
import { type Happened, simulateNear } from './simulate.js'

/**
 * Small worlds, one a seed, of processes with L1: pushes travel beside the replies, sessions are lost and begin anew. A seed that fails is told
 * with its number and its story; `VEXTRUS_SIMULATION=710:1` runs that one alone, `VEXTRUS_SIMULATION=1:100000` many more.
 */
const [first = 1, count = 250] = (process.env['VEXTRUS_SIMULATION'] ?? '').split(':').filter(Boolean).map(Number)
const PART = 250
const parts = Array.from({ length: Math.ceil(count / PART) }, (_, i) => first + i * PART)
const TIMEOUT_MS = 120_000

async function runs(from: number, to: number): Promise<Happened> {
  const total: Happened = {}
  for (let seed = from; seed < to; seed++) {
    for (const [kind, times] of Object.entries(await simulateNear(seed))) total[kind] = (total[kind] ?? 0) + times
  }
  return total
}

describe('processes with L1 in a world of late, lost and reordered messages', () => {
  it.each(parts)(
    'answer nothing older than the staleness allows, and nothing older than what was acknowledged to them, from seed %i on',
    async (from) => {
      const happened = await runs(from, Math.min(from + PART, first + count))
      expect(happened['acknowledged']).toBeGreaterThan(0)
      expect(happened['hits of L1']).toBeGreaterThan(0)
    },
    TIMEOUT_MS,
  )

  it(
    'do hit, and do lose their sessions: the worlds are not empty',
    async () => {
      const happened = await runs(1, 61)
      const least: Record<string, number> = {
        ...{ 'hits of L1': 300, acknowledged: 100, loads: 300, clear: 3, bumpTags: 20, set: 10 },
        ...{ 'a session is lost': 5, 'a session is silent': 5, 'an epoch ends': 5, placeHold: 3 },
      }
      expect(Object.entries(least).filter(([kind, times]) => (happened[kind] ?? 0) < times)).toEqual([])
    },
    TIMEOUT_MS,
  )
})
