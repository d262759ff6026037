import type { Clock } from '../kernel/clock.js'
import { mendOf, RedisUnavailableError } from './errors.js'
import { redisConnected, redisLost } from './events.js'

/**
 * Tells of every outage once: a warning when a server is lost, a line when it is back, and both as events. Servers tell again and again
 * while it lasts.
 */
export class Outages {
  private readonly outages = new Map<string, Outage>()

  constructor(
    private readonly clock: Clock,
    private readonly logger: RedisLogger,
  ) {}

  /** A server is away. */
  get any(): boolean {
    return this.outages.size > 0
  }

  /** The server can be used. @param version on a new connection */
  up(id: string, version: string | undefined): void {
    const outage = this.outages.get(id)
    this.outages.delete(id)
    if (outage !== undefined) {
      const awayMs = Math.round(this.clock.mono() - outage.since)
      this.logger.log(`Redis at ${id} is back after ${awayMs} ms`)
      redisConnected.publish(() => ({ id, awayMs }))
    } else if (version !== undefined) {
      this.logger.debug(`Connected to ${version} at ${id}`)
      redisConnected.publish(() => ({ id, awayMs: undefined }))
    }
  }

  /** The server can't be used. */
  down(id: string, cause: Error): void {
    let outage = this.outages.get(id)
    if (outage === undefined) {
      outage = { since: this.clock.mono(), told: new Set() }
      this.outages.set(id, outage)
      redisLost.publish(() => ({ id, cause }))
    }
    // Each fact once an outage: the server is away, and later perhaps that it is back but refuses the password.
    const fact = mendOf(cause) || cause.name
    if (outage.told.has(fact)) return
    outage.told.add(fact)
    this.logger.warn(`${unavailable(id, cause).message}. Carrying on without it; it is tried again all the time`)
  }

  /** The server is none of ours any more: what it does is no outage. */
  gone(id: string): void {
    if (this.outages.delete(id)) this.logger.log(`Redis at ${id} is no master of the Cluster any more`)
  }
}

/** Where a connection reports; a Nest `Logger` fits. Each fact is told once an outage; no message holds a password or a value. */
export interface RedisLogger {
  warn(message: string): void
  log(message: string): void
  debug(message: string): void
}

/** The error that says why a server can't be used. */
export function unavailable(id: string, cause: Error): RedisUnavailableError {
  return cause instanceof RedisUnavailableError ? cause : new RedisUnavailableError(id, 'not-connected', { cause })
}

interface Outage {
  readonly since: number
  readonly told: Set<string>
}
