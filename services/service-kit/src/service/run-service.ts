import { type ServiceConfig, describeRedis } from '../config/environment.js'
import type { ConfiguredService, ServiceDefinition } from './service-definition.js'
import { type RunningService, startService } from './start-service.js'

/** Closing takes 2 s at most when it goes well; whatever happens, the process is gone in 5. */
const LONGEST_CLOSE_MS = 4_500

/** Writes one line to the terminal. */
export type Say = (line: string) => void

const say: Say = (line) => void process.stdout.write(`${line}\n`)

/**
 * The life of a service's process, which this takes over: it starts, says `ready <url>` as its last line, and leaves with 0 soon after SIGTERM
 * or SIGINT; with 1 and the reason when it can't start.
 * @param readConfig is called once; what it throws is such a reason
 * @param beforeReady something to show before the service calls itself ready; cut short by a signal
 */
export async function runService<C extends ServiceConfig>(
  service: ServiceDefinition | ConfiguredService<C>,
  readConfig: () => C,
  beforeReady: (service: RunningService, config: C, say: Say) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  try {
    const config = readConfig()
    await live('definitionOf' in service ? service.definitionOf(config) : service, config, beforeReady)
  } catch (error) {
    process.stderr.write(`${failure(service.name, error)}\n`)
    process.exit(1)
  }
}

async function live<C extends ServiceConfig>(
  definition: ServiceDefinition,
  config: C,
  beforeReady: (service: RunningService, config: C, say: Say) => Promise<void>,
): Promise<void> {
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

  const starting = startService(definition, config, (line) => say(`  ${line}`))
  const service = await starting
  started = true
  const { url } = service
  say(`  url       ${url}`)
  say(`  docs      ${url}/docs`)
  say(`  cache     ${describeRedis(config.redis)}`)
  try {
    await beforeReady(service, config, say)
  } catch (error) {
    // Cut off by a signal: closing has its own end.
    if (!stopping) throw error
  }
  if (!stopping) say(`ready ${url}`)
}

function failure(name: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as { code?: unknown; port?: unknown }
  if (code === 'EADDRINUSE')
    return `Port ${String(port)} is taken: set PORT to another one, or to 0 for any that is free`
  return `${name} could not start: ${error.message}`
}
