import { parseArgs } from 'node:util'
import { buildWith } from './another-build.js'
import { race, type RaceOptions } from './race.js'
import { type RaceReport, summary } from './report.js'
import { type RaceTopology, TOPOLOGIES } from './servers.js'
import { shownStaleness, stalenessOf } from './staleness.js'
import { editsOf, teeth } from './teeth.js'

/** While nothing goes wrong, a read is behind by a push on its way at most, and nearly none is. */
const MOST_P99_MS = 20
/** Often enough for all of them within a minute, and seldom enough for memory to be filled in between. */
const FAULT_EVERY_MS = 1_500

/** The race from the command line. Answers the exit code. */
export async function longRun(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      topology: { type: 'string', default: 'standalone' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      processes: { type: 'string', default: '6' },
      actors: { type: 'string', default: '10' },
      l2: { type: 'boolean', default: false },
      naive: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
      without: { type: 'string' },
      teeth: { type: 'boolean', default: false },
    },
  })
  const topologies = TOPOLOGIES.filter((name) => values.topology === 'all' || values.topology === name)
  if (topologies.length === 0) throw new Error(`--topology is one of ${TOPOLOGIES.join(', ')}, or all`)
  if (values.naive && values.topology !== 'standalone')
    throw new Error('--naive runs on one server; leave out --topology')
  const [seconds, seed, processes, actors] = [values.seconds, values.seed, values.processes, values.actors].map(Number)
  const options: RaceOptions = {
    mode: values.naive ? 'naive' : 'vextrus',
    seconds: seconds!,
    seed: seed!,
    processes: processes!,
    actors: actors!,
    l1: !values.naive && !values.l2,
    faults: values.naive || values.quiet ? false : { stoppedMs: 10_000, blockedMs: 5_000 },
    faultEvery: { ms: FAULT_EVERY_MS },
    progress: tellProgress(),
  }
  if (values.teeth) return teeth({ ...options, progress: undefined })
  const build = values.without === undefined ? undefined : await buildWith(editsOf(values.without))
  let wrong = 0
  try {
    // One after the other: each is to have the machine for itself.
    for (const topology of topologies)
      if (!(await holds(topology, { ...options, dist: build?.dist }, values.quiet))) wrong++
  } finally {
    build?.remove()
  }
  return wrong === 0 ? 0 : 1
}

/** One run, told of. */
async function holds(topology: RaceTopology, options: RaceOptions, isQuiet: boolean): Promise<boolean> {
  const report = await race({ ...options, topology })
  tell(report)
  const { p99 } = stalenessOf(report.counts, undefined).ofAll
  const isLate = isQuiet && p99 > MOST_P99_MS
  if (isQuiet)
    console.log(
      `p99 of all reads without faults: ${p99.toFixed(2)} ms, at most ${MOST_P99_MS} ms: ${isLate ? 'NO' : 'yes'}`,
    )
  return report.violationCount === 0 && report.keysWithoutTtl.length === 0 && !isLate
}

/** A line, and the first violation as soon as there is one. */
function tellProgress(): (soFar: RaceReport) => void {
  let hasTold = false
  return (soFar) => {
    console.log(summary(soFar))
    if (soFar.violations.length > 0 && !hasTold) console.dir(soFar.violations[0], { depth: 5 })
    hasTold = soFar.violations.length > 0
  }
}

function tell(report: RaceReport): void {
  console.log(summary(report))
  const isAge = (what: string): boolean => /^(max )?age /.test(what)
  console.log('operations:', Object.fromEntries(Object.entries(report.counts).filter(([what]) => !isAge(what))))
  console.log('faults:', report.faults)
  console.log(shownStaleness(report.counts))
  if (report.keysWithoutTtl.length > 0) console.log('keys without a TTL:', report.keysWithoutTtl)
  for (const violation of report.violations) console.dir(violation, { depth: 5 })
  console.log(`violations: ${report.violationCount}`)
}
