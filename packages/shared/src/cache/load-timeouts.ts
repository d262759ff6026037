import { type Duration, durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'

/** How long a caller of `getOrSet` waits for a load. Numbers are milliseconds; strings have their unit: `'250ms'`, `'2s'`. */
export interface LoadTimeout {
  /**
   * A caller that has found a stale entry, within its `grace`, waits this long for a fresh value; then it is answered the stale one, while the
   * load goes on. Shorter than `hard`. Without a stale entry it changes nothing. @default it does not wait: the stale value at once
   */
  readonly soft?: Duration | undefined
  /**
   * The longest that a caller waits, counted from when it began to need a load: for another process that loads, for its turn, and for the
   * loader, whose signal is aborted then. Rejects with `LoadTimeoutError`, or answers the stale value that was found. @default '30s'
   */
  readonly hard?: Duration | undefined
}

/** {@link LoadTimeout}, read and checked. */
export interface LoadTimeouts {
  /** Null: a stale value is answered at once. */
  readonly softMs: number | null
  readonly hardMs: number
}

const DEFAULTS: LoadTimeouts = Object.freeze({ softMs: null, hardMs: 30_000 })

/**
 * What a call says, over what the module says.
 * @throws ConfigurationError, InvalidDurationError naming the option
 */
export function resolveLoadTimeout(given: LoadTimeout | undefined, base: LoadTimeouts = DEFAULTS): LoadTimeouts {
  if (given === undefined) return base
  if (typeof given !== 'object' || given === null) {
    throw new ConfigurationError('loadTimeout', "must be an object such as { soft: '200ms', hard: '5s' }")
  }
  const softMs = given.soft === undefined ? base.softMs : durationToMs(given.soft, 'loadTimeout.soft')
  const hardMs = given.hard === undefined ? base.hardMs : durationToMs(given.hard, 'loadTimeout.hard')
  if (softMs !== null && softMs >= hardMs) {
    throw new ConfigurationError(
      'loadTimeout.soft',
      `${softMs} ms must be shorter than loadTimeout.hard, which is ${hardMs} ms; lower the one or raise the other`,
    )
  }
  return Object.freeze({ softMs, hardMs })
}
