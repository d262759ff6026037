import type { Counts } from './fleet.js'

/** Old by how much, of those reads that were not of the newest acknowledged value, and of all; ms, within 4 %. */
export interface Staleness {
  /** Where the answer came from, as the cache told: `l1`, `l2`; `any`: it did not tell. */
  readonly level: string
  readonly reads: number
  readonly stale: number
  readonly ofAll: Quantiles
  readonly ofStale: Quantiles
  readonly histogram: readonly { readonly upToMs: number; readonly count: number }[]
}

export interface Quantiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** What was counted by ages.mjs, of one level; or of all together. */
export function stalenessOf(counts: Counts, level: string | undefined): Staleness {
  const levels = level === undefined ? LEVELS : [level]
  const steps = new Map<number, number>()
  let fresh = 0
  for (const [what, count] of Object.entries(counts)) {
    const [word, of = '', upTo] = what.split(' ')
    if (word !== 'age' || !levels.includes(of)) continue
    if (upTo === 'fresh') fresh += count
    else steps.set(Number(upTo), (steps.get(Number(upTo)) ?? 0) + count)
  }
  const sorted = [...steps].sort(([one], [other]) => one - other).map(([ms, count]) => ({ ms, count }))
  const stale = sorted.reduce((sum, { count }) => sum + count, 0)
  const max = Math.max(0, ...levels.map((each) => counts[`max age ${each}`] ?? 0))
  const quantiles = (list: readonly { ms: number; count: number }[]): Quantiles => ({
    p50: Math.min(max, quantile(list, 0.5)),
    p90: Math.min(max, quantile(list, 0.9)),
    p99: Math.min(max, quantile(list, 0.99)),
    max,
  })
  return {
    level: level ?? 'all',
    reads: fresh + stale,
    stale,
    ofAll: quantiles([{ ms: 0, count: fresh }, ...sorted]),
    ofStale: quantiles(sorted),
    histogram: EDGES_MS.map((upToMs, i) => ({
      upToMs,
      count: sorted
        .filter(({ ms }) => ms <= upToMs && ms > (EDGES_MS[i - 1] ?? 0))
        .reduce((sum, { count }) => sum + count, 0),
    })),
  }
}

/** As a person reads it. */
export function shownStaleness(counts: Counts): string {
  const lines = [undefined, ...LEVELS].map((level) => {
    const { level: name, reads, stale, ofAll, ofStale } = stalenessOf(counts, level)
    const share = ((100 * stale) / Math.max(1, reads)).toFixed(3)
    return `  ${name.padEnd(3)} ${reads} reads, behind ${stale} (${share} %): of all ${shown(ofAll)}; of those behind ${shown(ofStale)}`
  })
  const { histogram, stale } = stalenessOf(counts, undefined)
  const bars = histogram.map(({ upToMs, count }) => {
    const edge = upToMs === Infinity ? `above ${EDGES_MS.at(-2)}` : `up to ${upToMs}`
    return `  ${edge.padStart(12)} ms ${String(count).padStart(9)} ${'#'.repeat(Math.ceil((50 * count) / Math.max(1, stale)))}`
  })
  return [
    'staleness of what was read in bursts, by when a newer version was first acknowledged:',
    ...lines,
    ...bars,
  ].join('\n')
}

const LEVELS = ['l1', 'l2', 'any']
const EDGES_MS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, Infinity]

function quantile(sorted: readonly { readonly ms: number; readonly count: number }[], share: number): number {
  const total = sorted.reduce((sum, { count }) => sum + count, 0)
  let left = share * total
  for (const { ms, count } of sorted) if ((left -= count) <= 0) return ms
  return sorted.at(-1)?.ms ?? 0
}

const shown = ({ p50, p90, p99, max }: Quantiles): string =>
  `p50 ${p50.toFixed(2)}, p90 ${p90.toFixed(2)}, p99 ${p99.toFixed(2)}, max ${max.toFixed(2)} ms`
