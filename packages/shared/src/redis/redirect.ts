import { RedisReplyError } from './errors.js'
import { type NodeAddress, SLOTS } from './slot-map.js'
import type { RedisReply } from './topology.js'

/** A node of a Cluster sends elsewhere: for good (MOVED), or only for this command, while its slot is on its way (ASK). */
export interface Redirect {
  readonly kind: 'MOVED' | 'ASK'
  readonly slot: number
  readonly to: NodeAddress
}

/**
 * `MOVED 3999 127.0.0.1:6381`, `ASK 3999 127.0.0.1:6381`; undefined for any other reply.
 * @param asked the host that answered: it may leave out the host, and then means its own
 */
export function readRedirect(reply: RedisReply | undefined, asked: string): Redirect | undefined {
  if (!(reply instanceof RedisReplyError) || (reply.reply !== 'MOVED' && reply.reply !== 'ASK')) return undefined
  // The host may be an IPv6 address: the last colon divides.
  const [, slot, host, port] = /^\w+ (\d+) (.*):(\d+)/.exec(reply.message) ?? []
  if (slot === undefined || Number(slot) >= SLOTS) return undefined
  const known = host === undefined || host === '' || host === '?' ? asked : host
  return { kind: reply.reply, slot: Number(slot), to: { host: known, port: Number(port) } }
}
