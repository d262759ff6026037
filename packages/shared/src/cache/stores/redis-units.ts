import { type Clock, pause, systemClock } from '../../kernel/clock.js'
import { RedisUnavailableError } from '../../redis/errors.js'
import type { Topology, Unit, UnitOutcome, UnitReplies } from '../../redis/topology.js'
import { failureOf } from '../../redis/unit-failure.js'
import { CacheUnavailableError } from '../errors.js'

/** The server compares whole milliseconds, and a timer may fire a little early. */
const CLOCK_GRAIN_MS = 2

/** Units of commands, whose errors are the cache's: whatever Redis says that is no good answer, there is none. */
export class RedisUnits {
  /** @param deadlineMs the connection's `commandTimeout` */
  constructor(
    readonly topology: Topology,
    readonly deadlineMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Monotonic ms: until when the caller of a write that begins now waits. */
  deadline(): number {
    return this.clock.mono() + this.deadlineMs
  }

  /** Milliseconds that are left of a {@link deadline}. */
  leftUntil(deadline: number): number {
    return deadline - this.clock.mono()
  }

  /** What became of each unit. */
  async each(units: readonly Unit[]): Promise<readonly (UnitReplies | CacheUnavailableError)[]> {
    const outcomes = await this.topology.exec(units)
    for (const outcome of outcomes) if (failureOf(outcome) !== undefined) return outcomes.map(toResult)
    return outcomes as readonly UnitReplies[]
  }

  /** The answers to all units. @throws CacheUnavailableError one of them has none */
  async all(units: readonly Unit[]): Promise<readonly UnitReplies[]> {
    const results = await this.each(units)
    for (const result of results) if (result instanceof CacheUnavailableError) throw result
    return results as readonly UnitReplies[]
  }

  /** The answers to one unit. @throws CacheUnavailableError */
  async one(unit: Unit): Promise<UnitReplies> {
    return (await this.all([unit]))[0]!
  }

  /**
   * {@link each} of writes that are refused after their deadline. Nobody is told that one failed before it must have: what was sent on a lost
   * connection may still be on its way to the server (R14).
   */
  async inTime(units: readonly Unit[]): Promise<readonly (UnitReplies | CacheUnavailableError)[]> {
    const overAt = this.clock.mono() + this.deadlineMs + CLOCK_GRAIN_MS
    const results = await this.each(units)
    const leftMs = overAt - this.clock.mono()
    if (leftMs > 0 && results.some(mayLandLater)) await pause(this.clock, leftMs)
    return results
  }
}

function toResult(outcome: UnitOutcome): UnitReplies | CacheUnavailableError {
  const failure = failureOf(outcome)
  if (failure === undefined) return outcome as UnitReplies
  return new CacheUnavailableError(failure.message, { cause: failure })
}

function mayLandLater(result: UnitReplies | CacheUnavailableError): boolean {
  const cause = result instanceof CacheUnavailableError ? result.cause : null
  return cause instanceof RedisUnavailableError && (cause.reason === 'lost' || cause.reason === 'deadline')
}
