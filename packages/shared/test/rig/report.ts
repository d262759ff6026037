import type { Counts, Violation } from './fleet.js'

/** What came of a race, or has so far. */
export interface RaceReport {
  readonly topology: string
  readonly seed: number
  readonly seconds: number
  /** Of all processes, those that were killed included. */
  readonly counts: Counts
  /** The first of them. */
  readonly violations: readonly Violation[]
  readonly violationCount: number
  /** Until the first one was told, excused or not. */
  readonly foundAfterSeconds: number | undefined
  /** Stale reads that a failover excuses, by its reason (promotions.ts). */
  readonly excused: Counts
  readonly faults: Counts
  /** Keys of the cache's servers that never expire, but for the tag clock. */
  readonly keysWithoutTtl: readonly string[]
}

/** One line a report. */
export function summary({ topology, seed, seconds, counts, faults, violationCount, excused }: RaceReport): string {
  const of = (what: string): number => counts[what] ?? 0
  const stale = Object.keys(counts).reduce((sum, what) => sum + (what.startsWith('stale ') ? of(what) : 0), 0)
  const rate = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`
  const faultCount = Object.values(faults).reduce((total, count) => total + count, 0)
  return [
    `${topology}, seed ${seed}: ${seconds.toFixed(1)} s`,
    `${of('rounds')} rounds, ${of('answers')} answers judged, ${of('loads')} loads, hits ${rate(of('hits'), of('hits') + of('misses'))}, in memory ${of('l1Hits')}`,
    `stale ${stale} (${rate(stale, of('answers'))}), violations ${violationCount}`,
    ...(topology === 'standalone'
      ? []
      : [
          `excused: ${excused['read'] ?? 0} reads of the ${of('readsWhileDemoting')} while a master was demoted, ${excused['lost write'] ?? 0} of what was written to one`,
        ]),
    `unavailable: ${of('refused')} refused, ${of('errors')} in all, abandoned ${of('abandoned')}, replayed ${of('replayed')}`,
    `load errors ${of('loadErrors')}, at rest ${of('atRest')}`,
    `faults ${faultCount}`,
  ].join('; ')
}

/** Counts of many, added up, and of those that are a maximum the greatest. */
export function sum(list: readonly Counts[]): Counts {
  const total: Record<string, number> = {}
  for (const counts of list)
    for (const [what, count] of Object.entries(counts)) {
      const before = total[what] ?? 0
      total[what] = what.startsWith('max ') ? Math.max(before, count) : before + count
    }
  return total
}
