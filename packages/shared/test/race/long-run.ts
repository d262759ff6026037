import { parseArgs } from 'node:util'
import { race } from './race.js'
import { summary } from './report.js'
import { TOPOLOGIES } from './servers.js'

/** The race from the command line. Answers the exit code. */
export async function longRun(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      topology: { type: 'string', default: 'standalone' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      processes: { type: 'string', default: '4' },
      actors: { type: 'string', default: '16' },
      naive: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  })
  const [seconds, seed, processes, actors] = [values.seconds, values.seed, values.processes, values.actors].map(Number)
  const topology = TOPOLOGIES.find((name) => name === values.topology)
  if (topology === undefined) throw new Error(`--topology is one of ${TOPOLOGIES.join(', ')}`)
  if (values.naive && topology !== 'standalone') throw new Error('--naive runs on one server; leave out --topology')
  const report = await race({
    mode: values.naive ? 'naive' : 'vextrus',
    topology,
    seconds: seconds!,
    seed: seed!,
    processes: processes!,
    actors: actors!,
    faults: !values.naive && !values.quiet,
    progress: (soFar) => console.log(summary(soFar)),
  })
  console.log(summary(report))
  console.log('operations:', report.counts)
  console.log('faults:', report.faults)
  if (report.keysWithoutTtl.length > 0) console.log('keys without a TTL:', report.keysWithoutTtl)
  for (const violation of report.violations) console.dir(violation, { depth: 5 })
  return report.violationCount > 0 || report.keysWithoutTtl.length > 0 ? 1 : 0
}
