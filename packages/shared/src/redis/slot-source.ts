import { type Clock } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import type { RedisPort } from './client.js'
import type { ClusterNode } from './cluster-node.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { idOf, type NatMap, type NodeAddress, readSlots, type SlotRange } from './slot-map.js'
import type { RedisReply } from './topology.js'

/**
 * Finds out which master serves which slots, from whoever answers: the masters that are connected, then every other address that is or was
 * known and the seeds, all at once. A node that sees its Cluster in disorder (`cluster_state:fail`) is believed only when no other answers:
 * it may be the one that was cut off.
 */
export class SlotSource {
  private readonly doors = new Map<string, RedisPort>()

  constructor(private readonly options: SlotSourceOptions) {}

  /**
   * @param connected masters to ask first, the best first
   * @param others addresses to be asked besides the seeds
   */
  async ask(connected: readonly ClusterNode[], others: readonly NodeAddress[]): Promise<SlotAnswer> {
    let doubtful: SlotAnswer | undefined
    for (const { shard, address } of connected) {
      try {
        const answer = this.read(await shard.ask(QUESTION), address)
        if (answer.ok) return answer
        doubtful ??= answer
      } catch (cause) {
        if (!(cause instanceof RedisUnavailableError || cause instanceof RedisReplyError)) throw cause
      }
    }
    const addresses = new Map([...others, ...this.options.seeds].map((address) => [idOf(address), address]))
    const failures: Error[] = []
    const probes = [...addresses.values()].map(async (address) => {
      try {
        const answer = await this.probe(address)
        if (answer.ok) return answer
        doubtful ??= answer
      } catch (cause) {
        failures.push(reasonOf(cause))
      }
      throw new Error('no use')
    })
    try {
      return await Promise.any(probes)
    } catch {
      if (doubtful !== undefined) return doubtful
      const [first] = failures
      throw new Error(`no node of the Cluster told its slots${first === undefined ? '' : `: ${first.message}`}`, {
        cause: first,
      })
    }
  }

  /** On a connection for this one question: the node may be a replica, or none of the Cluster any more. */
  private async probe(address: NodeAddress): Promise<SlotAnswer> {
    const id = idOf(address)
    let door = this.doors.get(id)
    if (door === undefined) this.doors.set(id, (door = this.options.makePort(address)))
    const { clock } = this.options
    const connection = await door.dedicated({ name: 'vextrus-slots', connectTimeoutMs: PROBE_MS })
    try {
      const replies = Promise.all(QUESTION.map(({ name, args }) => connection.call(name, args)))
      const late = (): Error => new RedisUnavailableError(id, 'deadline', { timeoutMs: PROBE_MS })
      return this.read(await withDeadline(replies, PROBE_MS, clock, late), address)
    } finally {
      connection.close()
    }
  }

  private read(replies: readonly RedisReply[], { host }: NodeAddress): SlotAnswer {
    for (const reply of replies) if (reply instanceof RedisReplyError) throw reply
    const [info, slots] = replies as [RedisReply, RedisReply]
    const ranges = readSlots(slots, host, this.options.natMap)
    if (ranges.length === 0) throw new Error(`the node at ${host} knows of no slots`)
    return { ranges, ok: /^cluster_state:ok/m.test(String(info)) }
  }
}

export interface SlotSourceOptions {
  readonly seeds: readonly NodeAddress[]
  readonly natMap: NatMap | undefined
  readonly clock: Clock
  makePort(address: NodeAddress): RedisPort
}

export interface SlotAnswer {
  readonly ranges: SlotRange[]
  /** The node that told it sees its Cluster at work. */
  readonly ok: boolean
}

/** Without the advice that the connection's own error will give. */
function reasonOf(cause: unknown): Error {
  const inner = cause instanceof RedisUnavailableError && cause.cause !== undefined ? cause.cause : cause
  return inner instanceof Error ? inner : new Error(String(inner))
}

const QUESTION = [
  { name: 'CLUSTER', args: ['INFO'] },
  { name: 'CLUSTER', args: ['SLOTS'] },
]
const PROBE_MS = 2_000
