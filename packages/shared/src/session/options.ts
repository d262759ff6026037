import type { EncryptionOptions } from '../kernel/codec/value-codec.js'
import { type Duration, durationToMs, type Ttl, ttlToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'

/** What of `forRoot({ session })` the sessions take; the guard's stand in `nest/session-guard-settings.ts`. */
export interface SessionOptions {
  /** A session ends when nobody has used it for so long. A number is seconds. @default '30m' */
  readonly idle?: Ttl | undefined
  /** A session ends then in any case. A number is seconds. @default '12h' */
  readonly absolute?: Ttl | undefined
  /** For how long the id before leads to a session whose id was changed, for requests under way. A number is milliseconds; 0: not at all. @default 10_000 */
  readonly rotationGrace?: Duration | undefined
  /** Sessions of one user; beyond it the oldest end. @default 100 */
  readonly maxPerUser?: number | undefined
  /** Data of a session, bytes as stored. @default 65_536 */
  readonly maxBytes?: number | undefined
  /** Keys that the data is encrypted with: AES-256-GCM; the first writes, all read. @default as plain JSON */
  readonly encryption?: EncryptionOptions | undefined
}

/** {@link SessionOptions}, read and checked. */
export interface ResolvedSessionOptions {
  readonly idleMs: number
  readonly absoluteMs: number
  readonly rotationGraceMs: number
  readonly maxPerUser: number
  readonly maxBytes: number
  readonly encryption: EncryptionOptions | undefined
}

/** The names of {@link SessionOptions}. */
export const SESSION_OPTIONS = [
  'idle',
  'absolute',
  'rotationGrace',
  'maxPerUser',
  'maxBytes',
  'encryption',
] as const satisfies (keyof SessionOptions)[]
const KNOWN: ReadonlySet<string> = new Set(SESSION_OPTIONS)

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveSessionOptions(options: SessionOptions = {}): ResolvedSessionOptions {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('session', 'must be an object of options')
  }
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) {
      throw new ConfigurationError(`session.${name}`, `no such option; there are ${[...KNOWN].join(', ')}`)
    }
  }
  const { idle = '30m', absolute = '12h', rotationGrace = 10_000, maxPerUser = 100, maxBytes = 65_536 } = options
  const resolved = {
    idleMs: ttlToMs(idle, 'session.idle'),
    absoluteMs: ttlToMs(absolute, 'session.absolute'),
    rotationGraceMs: rotationGrace === 0 ? 0 : durationToMs(rotationGrace, 'session.rotationGrace'),
    maxPerUser: count(maxPerUser, 'session.maxPerUser'),
    maxBytes: count(maxBytes, 'session.maxBytes'),
    encryption: options.encryption,
  }
  if (resolved.idleMs > resolved.absoluteMs) {
    throw new ConfigurationError('session.idle', 'is longer than session.absolute, by which the session has ended')
  }
  return Object.freeze(resolved)
}

function count(given: number, option: string): number {
  if (Number.isSafeInteger(given) && given >= 1 && given <= 100_000_000) return given
  throw new ConfigurationError(option, 'must be a whole number of at least 1')
}
