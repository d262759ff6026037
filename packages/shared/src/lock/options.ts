import { type Duration, durationToMs } from '../kernel/duration.js'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'

/** What `forRoot({ lock })` takes: the defaults of all locks of a connection. */
export interface LockOptions {
  /** For how long a lock is held when nobody extends it or gives it back. A number is milliseconds. @default 10_000 */
  readonly ttl?: Duration | undefined
  /** For how long a caller waits for a lock. A number is milliseconds. @default 5_000 */
  readonly wait?: Duration | undefined
  /**
   * Replicas that must have a lock before it is handed out (Redis' `WAIT`). More than none makes it unlikely that a failover hands a lock out
   * twice, and not impossible: fences do that. The connection waits meanwhile for every command; give such locks one of their own by `use.lock`.
   * @default 0
   */
  readonly replicas?: number | undefined
  /**
   * How many callers of one process may follow each other without giving a waiting process its turn. Each follows the one before in one
   * command. @default 8
   */
  readonly localTurns?: number | undefined
}

/** How one lock is got and held; each overrides the connection's default. */
export interface LockTimes {
  /** For how long the lock is held when nobody extends it or gives it back, ms. @default the connection's `lock.ttl`: 10_000 */
  readonly ttlMs?: number | undefined
  /** The same as a text such as `'10s'`, or milliseconds; not beside `ttlMs`. */
  readonly ttl?: Duration | undefined
  /** For how long the caller waits, ms; 0 asks once. @default the connection's `lock.wait`: 5_000 */
  readonly waitMs?: number | undefined
  /** The same as a text such as `'5s'`, or milliseconds; not beside `waitMs`. */
  readonly wait?: Duration | undefined
}

/** What a caller may say beside the times. */
export interface LockRequestOptions {
  /** Ends the waiting; the call rejects with its reason. A lock that was got is not given back by it. */
  readonly signal?: AbortSignal | undefined
  /** @default the connection's `lock.replicas`: 0 */
  readonly replicas?: number | undefined
}

/** All that a caller may say of one lock. */
export interface LockCallOptions extends LockTimes, LockRequestOptions {}

/** {@link LockOptions}, read and checked. */
export interface ResolvedLockOptions {
  readonly ttlMs: number
  readonly waitMs: number
  readonly replicas: number
  readonly localTurns: number
}

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveLockOptions(options: LockOptions = {}): ResolvedLockOptions {
  if (typeof options !== 'object' || options === null)
    throw new ConfigurationError('lock', 'must be an object of options')
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) {
      throw new ConfigurationError(`lock.${name}`, `no such option; there are ${[...KNOWN].join(', ')}`)
    }
  }
  const { ttl = 10_000, wait = 5_000, replicas = 0, localTurns = 8 } = options
  return Object.freeze({
    ttlMs: timeToLive(ttl, 'lock.ttl'),
    waitMs: waitTime(wait, 'lock.wait'),
    replicas: count(replicas, 'lock.replicas', 0),
    localTurns: count(localTurns, 'lock.localTurns', 1),
  })
}

/** What a caller says, over the defaults. @throws ConfigurationError, InvalidDurationError */
export function resolveCall(options: LockCallOptions, defaults: ResolvedLockOptions): ResolvedCall {
  const { ttl, ttlMs, wait, waitMs, replicas = defaults.replicas, signal } = options
  if (ttl !== undefined && ttlMs !== undefined) throw new ConfigurationError('ttl', 'stands beside ttlMs; give one')
  if (wait !== undefined && waitMs !== undefined) throw new ConfigurationError('wait', 'stands beside waitMs; give one')
  return {
    ttlMs: timeToLive(ttlMs ?? ttl ?? defaults.ttlMs, ttlMs === undefined ? 'ttl' : 'ttlMs'),
    waitMs: waitTime(waitMs ?? wait ?? defaults.waitMs, waitMs === undefined ? 'wait' : 'waitMs'),
    replicas: count(replicas, 'replicas', 0),
    signal,
  }
}

export interface ResolvedCall {
  readonly ttlMs: number
  readonly waitMs: number
  readonly replicas: number
  readonly signal: AbortSignal | undefined
}

/** @throws InvalidDurationError zero, negative, NaN, unreadable, or above a day */
export function timeToLive(ttl: Duration, what: string): number {
  const ms = durationToMs(ttl, what)
  if (ms <= LONGEST_TTL_MS) return ms
  throw new InvalidDurationError(
    `${what}: ${ms} ms is above the maximum of ${LONGEST_TTL_MS} ms (24 h); a lock is extended while its work runs (withLock does)`,
  )
}

const KNOWN: ReadonlySet<string> = new Set(['ttl', 'wait', 'replicas', 'localTurns'] satisfies (keyof LockOptions)[])

/** A process that dies keeps its lock for this long. */
const LONGEST_TTL_MS = 86_400_000

/** Zero is a time to wait: none. @throws InvalidDurationError negative, NaN or unreadable */
export function waitTime(wait: Duration, what: string): number {
  return wait === 0 ? 0 : durationToMs(wait, what)
}

function count(given: number, option: string, least: number): number {
  if (Number.isSafeInteger(given) && given >= least && given <= 1_000) return given
  throw new ConfigurationError(option, `must be a whole number from ${least} to 1000`)
}
