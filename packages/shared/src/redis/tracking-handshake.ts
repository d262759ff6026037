import { VextrusError } from '../kernel/errors.js'
import type { DedicatedConnection } from './client.js'
import { RedisReplyError } from './errors.js'

/**
 * How a session hears of writes. `tracking`: the server itself reports every write of anybody, expiry, eviction and flush. `published`: it
 * refuses that, and the writes of the toolkit publish themselves (R23).
 */
export type TrackingMode = 'tracking' | 'published'

/** What a session listens for. */
export interface TrackingTargets {
  /** Which keys to hear of. No prefix may be the beginning of another one. */
  readonly prefixes: readonly string[]
  /** Where writes are published: {@link Keyspace.changes}. */
  readonly channel: string
}

/**
 * Makes a connection listen, and answers the `run_id` of its server. Only a PING sent afterwards proves anything.
 *
 * Tracking is `CLIENT ID` → `CLIENT TRACKING ON BCAST PREFIX … REDIRECT <own id>` → `SUBSCRIBE __redis__:invalidate`: a connection that
 * redirects tracking to itself is sent pushes only once it subscribes, so what is written between TRACKING and SUBSCRIBE is reported to nobody
 * (R17). Where writes are published it is `SUBSCRIBE <channel>` alone (R23).
 *
 * @param push these keys were written; null: all may have been
 */
export async function handshake(
  mode: TrackingMode,
  connection: DedicatedConnection,
  targets: TrackingTargets,
  push: (keys: readonly string[] | null) => void,
): Promise<string> {
  return mode === 'tracking' ? track(connection, targets, push) : subscribe(connection, targets, push)
}

async function track(
  connection: DedicatedConnection,
  { prefixes }: TrackingTargets,
  push: (keys: readonly string[] | null) => void,
): Promise<string> {
  connection.onMessage((channel, payload) => {
    if (channel !== INVALIDATIONS) return
    push(Array.isArray(payload) ? payload.map((key) => key.toString()) : null)
  })
  const [id, info] = await Promise.all([connection.call('CLIENT', ['ID']), connection.call('INFO', ['server'])])
  const prefixed = prefixes.flatMap((prefix) => ['PREFIX', prefix])
  await connection.call('CLIENT', ['TRACKING', 'ON', 'REDIRECT', Number(id), 'BCAST', ...prefixed])
  await connection.call('SUBSCRIBE', [INVALIDATIONS])
  return runIdOf(info)
}

async function subscribe(
  connection: DedicatedConnection,
  { channel: changes }: TrackingTargets,
  push: (keys: readonly string[] | null) => void,
): Promise<string> {
  connection.onMessage((channel, payload) => {
    if (channel === changes && Buffer.isBuffer(payload)) push([payload.toString()])
  })
  // Asked first: a connection that has subscribed may ask for nothing but PING.
  const info = await connection.call('INFO', ['server'])
  await connection.call('SUBSCRIBE', [changes])
  return runIdOf(info)
}

function runIdOf(info: unknown): string {
  return /^run_id:(\w+)/m.exec(String(info))?.[1] ?? ''
}

/** The server lets this connection neither track keys nor, where it says so, hear what is published. Code `TRACKING_REFUSED`. */
export class TrackingRefusedError extends VextrusError {
  /** @param fallback what the server said to the subscription in its place; undefined: that is open */
  constructor(id: string, cause: RedisReplyError, channel: string, fallback?: RedisReplyError) {
    super(
      `Redis at ${id} refuses client-side tracking (${cause.message})` +
        (fallback === undefined ? onMessages(channel) : nothing(channel, fallback)),
      { code: 'TRACKING_REFUSED', cause },
    )
  }
}

/** An error reply of the handshake that time alone will not mend. */
export function isRefusal(cause: unknown): cause is RedisReplyError {
  return cause instanceof RedisReplyError && !['LOADING', 'BUSY', 'MASTERDOWN'].includes(cause.reply)
}

function onMessages(channel: string): string {
  return (
    `. The near cache goes on by messages on \`${channel}\`, which the toolkit's own writes publish: what other programs write, evictions and ` +
    `flushes it then sees only when the TTL of L1 ends. Allow the user \`${TO_TRACK}\`; a proxy in between must pass these commands on`
  )
}

function nothing(channel: string, { message }: RedisReplyError): string {
  return (
    ` and messages in its place (${message}). Until it allows one of them nothing is kept in this process's memory and waiting callers look ` +
    `again on a timer. Allow the user \`${TO_TRACK}\`, or at least \`+publish\` and the channel \`&${channel}\`; a proxy in between must pass ` +
    'these commands on'
  )
}

const INVALIDATIONS = '__redis__:invalidate'
const TO_TRACK = `+client|id +client|tracking +info +subscribe +ping &${INVALIDATIONS}`
