// What `npm start` says of its services once they run.

const REDIS = ['REDIS_URL', 'REDIS_HOST', 'REDIS_SENTINELS', 'REDIS_CLUSTER']

/** What the services share and what each has for itself, as lines. */
export function sharedLines(env) {
  const isSet = (name) => (env[name] ?? '') !== ''
  return [
    REDIS.some(isSet)
      ? 'cache      one Redis for all: what one process of a service changes is in force in all of them'
      : `cache      in memory, each service its own, nothing is shared: set ${REDIS.slice(0, -1).join(', ')} or ${REDIS.at(-1)}`,
    isSet('DATABASE_URL')
      ? 'database   one Postgres, a schema for each service'
      : 'database   embedded, each service its own, gone with it: set DATABASE_URL',
  ]
}

/** The answer of the rules engine's `GET /latency`, as lines: what a read costs, by where it comes from. */
export function latencyLines({ cache, rows }) {
  const [place] = cache.startsWith('memory') ? ['the memory driver'] : cache.split(',')
  const where = { 'L1 hit': 'memory of the process', 'L2 hit': place, database: 'Postgres' }
  const cells = rows.map(({ source, reads, asked, p50Ms, p99Ms }) => [
    source,
    where[source] ?? '',
    milliseconds(p50Ms),
    milliseconds(p99Ms),
    reads === asked ? String(reads) : `${reads} of ${asked}`,
  ])
  const table = [['one rule set', 'read from', 'p50 ms', 'p99 ms', 'reads'], ...cells]
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  const aligned = table.map((row) =>
    row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join('   '),
  )
  const missing = rows.filter(({ reads }) => reads === 0).map(({ source }) => source)
  return missing.length === 0 ? aligned : [...aligned, `No ${missing.join(' and no ')}: Redis did not answer`]
}

const milliseconds = (value) => (value === null ? '-' : value.toFixed(3))

/** The port of the service that is the `index`-th: PORT, PORT + 1, … of the environment. Undefined: the service's own. */
export function portOf(port, index) {
  if (port === undefined || port === '') return undefined
  // 0 is any free port for each; what is no number the services refuse themselves.
  return /^[1-9]\d*$/.test(port) ? String(Number(port) + index) : port
}
