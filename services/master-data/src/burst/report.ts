import { percentile } from '@vextrus/service-kit'
import type { CacheStatistics } from '@vextrus/shared/cache'
import type { BurstResult } from './burst.js'

/** What the burst measured, as lines for a terminal. */
export function burstReport(
  { requests, writes, failed, seconds, timings }: BurstResult,
  statistics: CacheStatistics,
): string[] {
  const all = {
    kind: 'all reads',
    cached: timings.flatMap(({ cached }) => cached),
    uncached: timings.flatMap(({ uncached }) => uncached),
  }
  return [
    `  traffic   ${requests.toLocaleString('en')} requests in ${seconds.toFixed(1)} s, ${writes} of them writes, ${failed} failed`,
    `  hit rate  ${statistics.hitRate} % of ${(statistics.hits + statistics.misses).toLocaleString('en')} reads of the cache`,
    '',
    `  ${'reads, ms'.padEnd(12)}${cells('cached p50', 'p99', 'n')}${cells('uncached p50', 'p99', 'n')}`,
    ...[...timings, all].map(
      ({ kind, cached, uncached }) => `  ${kind.padEnd(12)}${timingCells(cached)}${timingCells(uncached)}`,
    ),
    '',
  ]
}

const cells = (p50: string, p99: string, n: string): string => `${p50.padStart(14)}${p99.padStart(9)}${n.padStart(7)}`

function timingCells(ms: readonly number[]): string {
  if (ms.length === 0) return cells('-', '-', '0')
  return cells(percentile(ms, 50).toFixed(2), percentile(ms, 99).toFixed(2), String(ms.length))
}
