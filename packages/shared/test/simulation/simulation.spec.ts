import { describe, expect, it } from 'vitest'
import { type Happened, simulate } from './simulate.js'

async function runs(first: number, count: number): Promise<Happened> {
  const total: Happened = {}
  for (let seed = first; seed < first + count; seed++) {
    for (const [kind, times] of Object.entries(await simulate(seed))) total[kind] = (total[kind] ?? 0) + times
  }
  return total
}

describe('the engine in a world of late, lost and reordered messages', () => {
  it('trial', async () => {
    const t = performance.now()
    console.log(await runs(1, 300), performance.now() - t)
    expect(1).toBe(1)
  }, 100_000)
})
