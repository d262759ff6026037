import type { RedisReply } from './topology.js'

/** Where a server of a Cluster is reached. */
export interface NodeAddress {
  readonly host: string
  readonly port: number
}

/** Addresses as the Cluster announces them, by `host:port` → as they are reached from here. As ioredis has it. */
export type NatMap = Readonly<Record<string, NodeAddress>> | ((announced: string) => NodeAddress | null | undefined)

/** Slots of one master, both ends included. */
export interface SlotRange {
  readonly from: number
  readonly to: number
  readonly master: NodeAddress
}

export const SLOTS = 16_384

/** `host:port`, by which a node is known here. */
export function idOf({ host, port }: NodeAddress): string {
  return `${host}:${port}`
}

/** An announced address as it is reached from here. */
export function reachable(announced: NodeAddress, natMap: NatMap | undefined): NodeAddress {
  const found = typeof natMap === 'function' ? natMap(idOf(announced)) : natMap?.[idOf(announced)]
  return found ?? announced
}

/**
 * The answer to CLUSTER SLOTS, in the order of the slots.
 * @param asked the host that answered: a node that does not know its own address announces none
 */
export function readSlots(reply: RedisReply, asked: string, natMap: NatMap | undefined): SlotRange[] {
  const rows = reply as unknown as readonly [number, number, readonly [string | null, number]][]
  return rows
    .map(([from, to, [host, port]]) => {
      const known = host === null || host === '' || host === '?' ? asked : host
      return { from: Number(from), to: Number(to), master: reachable({ host: known, port: Number(port) }, natMap) }
    })
    .sort((a, b) => a.from - b.from)
}

/** Which master serves which slots, as one text: the same for the same division. */
export function textOf(ranges: readonly SlotRange[]): string {
  const joined: { from: number; to: number; id: string }[] = []
  for (const { from, to, master } of ranges) {
    const last = joined.at(-1)
    const id = idOf(master)
    if (last !== undefined && last.id === id && last.to + 1 === from) last.to = to
    else joined.push({ from, to, id })
  }
  return joined.map(({ from, to, id }) => `${from}-${to} ${id}`).join(', ')
}

/** What a master says of its own slots. */
export interface OwnSlots {
  readonly ranges: readonly { readonly from: number; readonly to: number }[]
  /** A slot of it is on its way to another master, or from one to it. */
  readonly migrating: boolean
}

/**
 * The line of the answering node in its answer to CLUSTER NODES. Only there do the marks of a migration stand: `[93-<-id]`, `[77->-id]`.
 */
export function readOwnSlots(reply: RedisReply): OwnSlots {
  const own = String(reply)
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , flags]) => flags?.split(',').includes('myself') === true)
  const slots = own?.slice(8) ?? []
  return {
    ranges: slots
      .filter((slot) => /^\d/.test(slot))
      .map((slot) => {
        const [from, to = from] = slot.split('-')
        return { from: Number(from), to: Number(to) }
      }),
    migrating: slots.some((slot) => slot.startsWith('[')),
  }
}
