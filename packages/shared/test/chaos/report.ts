import type { ChaosReport } from './chaos.js'

/** What came of a run, as lines. */
export function shown(report: ChaosReport): string {
  const { topology, seed, seconds, numbers, deductions, postings, grants, sections, counts, faults, together } = report
  const of = (what: string): number => counts[what] ?? 0
  const list = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([what, count]) => `${count} × ${what}`)
      .join(', ') || 'none'
  const faultCount = Object.values(faults).reduce((total, count) => total + count, 0)
  return [
    `${topology}, seed ${seed}: ${numbers} numbers, ${deductions} deductions and ${postings} postings in ${seconds.toFixed(1)} s`,
    `  locks: ${grants} handed out, longest wait ${of('max wait')} ms; timed out ${of('timeouts')}, Redis unavailable ${of('unavailable')}, lost ${of('lost')}`,
    `  two holders at once: ${list(together)} of ${sections} sections; a holder knew of its loss before it wrote: ${of('noticed')}; committed before its time was over, seen afterwards: ${of('committedAfterLoss')}`,
    `  stale writes refused by the fence: ${of('refused')}, of processes that had stopped between assertHeld and the write: ${of('refusedAfterStop')}`,
    `  stock that was not enough: ${of('notEnough')}`,
    `  faults ${faultCount}: ${list(faults)}`,
    `  violations: ${report.wrong.length + report.keysWithoutTtl.length}`,
  ].join('\n')
}
