import { type Duration, durationToMs, type Ttl, ttlToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'

/** What `forRoot({ pubsub })` takes. */
export interface PubSubOptions {
  /** A larger message is refused, bytes. @default 1_048_576 (1 MiB) */
  readonly maxBytes?: number | undefined
  /** Messages that wait for one handler, at most. @default 1_000 */
  readonly maxQueued?: number | undefined
  /** For how long durable messages are kept. A number is seconds. @default '24h' */
  readonly keep?: Ttl | undefined
  /** Durable messages of a channel that are kept, or some more. @default 10_000 */
  readonly maxLength?: number | undefined
  /** After how long a message that a consumer of a group has not finished goes to another. A number is milliseconds. @default 30_000 */
  readonly idle?: Duration | undefined
  /** How often a message is handed to consumers of a group before it is put aside, into a log of its own (`putAsideChannel`). @default 5 */
  readonly maxDeliveries?: number | undefined
  /**
   * On a Cluster: a message goes to the master of its channel's slot alone, instead of to every node; there are no patterns then. All processes must
   * say the same. @default false
   */
  readonly sharded?: boolean | undefined
}

/** {@link PubSubOptions}, read and checked. */
export interface ResolvedPubSubOptions {
  readonly maxBytes: number
  readonly maxQueued: number
  readonly keepMs: number
  readonly maxLength: number
  readonly idleMs: number
  readonly maxDeliveries: number
  readonly sharded: boolean
}

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolvePubSubOptions(options: PubSubOptions = {}): ResolvedPubSubOptions {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('pubsub', 'must be an object of options')
  }
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) {
      throw new ConfigurationError(`pubsub.${name}`, `no such option; there are ${[...KNOWN].join(', ')}`)
    }
  }
  const {
    maxBytes = 1_048_576,
    maxQueued = 1_000,
    keep = '24h',
    maxLength = 10_000,
    idle = 30_000,
    maxDeliveries = 5,
    sharded = false,
  } = options
  if (typeof sharded !== 'boolean') throw new ConfigurationError('pubsub.sharded', 'must be true or false')
  return Object.freeze({
    sharded,
    maxBytes: count(maxBytes, 'pubsub.maxBytes'),
    maxQueued: count(maxQueued, 'pubsub.maxQueued'),
    keepMs: ttlToMs(keep, 'pubsub.keep'),
    maxLength: count(maxLength, 'pubsub.maxLength'),
    idleMs: durationToMs(idle, 'pubsub.idle'),
    maxDeliveries: count(maxDeliveries, 'pubsub.maxDeliveries'),
  })
}

const OPTIONS = [
  'maxBytes',
  'maxQueued',
  'keep',
  'maxLength',
  'idle',
  'maxDeliveries',
  'sharded',
] as const satisfies (keyof PubSubOptions)[]
const KNOWN: ReadonlySet<string> = new Set(OPTIONS)

export function count(given: number, option: string): number {
  if (Number.isSafeInteger(given) && given >= 1 && given <= 1_000_000_000) return given
  throw new ConfigurationError(option, 'must be a whole number of at least 1')
}
