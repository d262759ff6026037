import { RedisCacheService } from '@vextrus/shared/cache'
import { startService } from './app.js'
import { sendBurst } from './burst/burst.js'
import { burstReport } from './burst/report.js'
import { type Config, readConfig } from './config.js'

/** Starts the service, shows that it works, says `ready`, and leaves with 0 soon after SIGTERM or SIGINT. The only reader of `process.env`. */

/** Closing takes 2 s at most when it goes well; whatever happens, the process is gone in 5. */
const LONGEST_CLOSE_MS = 4_500

const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  const config = readConfig(process.env)
  let started = false
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(0), LONGEST_CLOSE_MS).unref()
    // While it starts there is nobody to answer, and what is half written is a transaction that the database drops.
    if (!started) process.exit(0)
    void starting.then((service) => service.close()).then(() => process.exit(0))
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  const starting = startService(config, (line) => say(`  ${line}`))
  const { app, url } = await starting
  started = true
  say(`  url       ${url}`)
  say(`  docs      ${url}/docs`)
  say(`  cache     ${cacheDriver(config)}`)
  if (config.burst) {
    try {
      const result = await sendBurst(url)
      burstReport(result, app.get(RedisCacheService).getStatistics()).forEach(say)
    } catch (error) {
      // Cut off by a signal: closing has its own end.
      if (!stopping) throw error
    }
  }
  if (!stopping) say(`ready ${url}`)
}

function cacheDriver({ redis }: Config): string {
  if (redis === undefined) {
    return 'memory, of this process alone: set REDIS_URL, REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER to share it'
  }
  if ('sentinels' in redis)
    return `Redis, ${redis.sentinels.name} of the Sentinels at ${redis.sentinels.nodes.join(', ')}`
  if ('cluster' in redis) return `Redis Cluster at ${redis.cluster.nodes.join(', ')}`
  const { host, pathname } = 'url' in redis ? new URL(redis.url) : new URL(`redis://${redis.host}:${redis.port}`)
  return `Redis at ${host}${pathname}`
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${failure(error)}\n`)
  process.exit(1)
}

function failure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as { code?: unknown; port?: unknown }
  if (code === 'EADDRINUSE')
    return `Port ${String(port)} is taken: set PORT to another one, or to 0 for any that is free`
  return `master-data could not start: ${error.message}`
}
