import { parseArgs } from 'node:util'
import { TOPOLOGIES } from '../rig/servers.js'
import { postgresPrograms, startRealPostgres } from '../support/real-postgres.js'
import { chaos, type ChaosOptions } from './chaos.js'
import { shown } from './report.js'
import { teeth } from './teeth.js'

/** The chaos from the command line. Answers the exit code. */
export async function longRun(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      topology: { type: 'string', default: 'standalone' },
      numbers: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      processes: { type: 'string', default: '6' },
      clerks: { type: 'string', default: '6' },
      'fault-every': { type: 'string', default: '250' },
      quiet: { type: 'boolean', default: false },
      'without-fence': { type: 'boolean', default: false },
      teeth: { type: 'boolean', default: false },
    },
  })
  const topologies = TOPOLOGIES.filter((name) => values.topology === 'all' || values.topology === name)
  if (topologies.length === 0) throw new Error(`--topology is one of ${TOPOLOGIES.join(', ')}, or all`)
  if (postgresPrograms === undefined)
    throw new Error('the chaos needs Postgres: install `postgresql`, so that initdb and postgres are there')
  const postgres = await startRealPostgres(postgresPrograms)
  const options: Omit<ChaosOptions, 'topology'> = {
    postgres: postgres.url,
    numbers: Number(values.numbers),
    seed: Number(values.seed),
    processes: Number(values.processes),
    clerks: Number(values.clerks),
    ...(values.quiet ? { faults: [] } : {}),
    fenced: !values['without-fence'],
    faultEvery: Number(values['fault-every']),
    progress: console.log,
  }
  try {
    if (values.teeth) return await teeth(options)
    let wrong = 0
    // One after the other: each is to have the machine for itself.
    for (const topology of topologies) {
      const report = await chaos({
        ...options,
        topology,
        topologyFaults: topology === 'standalone' || values.quiet ? 0 : 3,
      })
      console.log(shown(report))
      for (const each of report.wrong) console.dir(each, { depth: 5 })
      if (report.keysWithoutTtl.length > 0) console.log('keys without a TTL:', report.keysWithoutTtl)
      wrong += report.wrong.length + report.keysWithoutTtl.length
    }
    return wrong === 0 ? 0 : 1
  } finally {
    await postgres.stop()
  }
}
