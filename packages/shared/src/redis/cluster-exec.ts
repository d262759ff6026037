import type { Clock } from '../kernel/clock.js'
import type { ClusterNode } from './cluster-node.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { readRedirect, type Redirect } from './redirect.js'
import { slotOf } from './slot.js'
import type { Executed, RedisCommand, RedisReply, Unit, UnitOutcome } from './topology.js'

/**
 * Sends units to the masters of their slots, and follows the redirections of each.
 *
 * From the first redirected command on a unit is done again where the redirection points, all of it and in order, also what had already been
 * answered: `DEL lease` that was redirected must be followed by its `UNLINK` at the master which the lease is on, or a fill could come
 * between the two (R11). Each master's share is one write, and goes its own way from there: one that is away delays no other's redirections.
 */
export async function execUnits(units: readonly Unit[], router: Router): Promise<readonly UnitOutcome[]> {
  const run: Run = {
    router,
    outcomes: new Array<UnitOutcome>(units.length),
    until: router.clock.mono() + router.timeoutMs,
  }
  const shares = new Map<ClusterNode, Part[]>()
  units.forEach((unit, index) => {
    const slot = slotOf(unit.key)
    const node = router.nodeOf(slot)
    if (node === undefined) run.outcomes[index] = router.unserved(slot)
    else put(shares, node, { unit, index, from: 0, done: [], hops: 0 })
  })
  // All of them are written before this returns.
  await Promise.all([...shares].map(([node, parts]) => send(run, node, parts, false)))
  return run.outcomes
}

/** What the way of a unit depends on: the slot map, and what is learned for it. */
export interface Router {
  readonly clock: Clock
  /** After this long no redirection is followed any more. */
  readonly timeoutMs: number
  nodeOf(slot: number): ClusterNode | undefined
  /** The answer for a slot that no known master serves. */
  unserved(slot: number): RedisUnavailableError
  /** Learns from a redirection, and answers the node that it points to. */
  follow(redirect: Redirect): ClusterNode
  /** A node says that the Cluster is not well. */
  unwell(): void
}

interface Run {
  readonly router: Router
  readonly outcomes: UnitOutcome[]
  /** Monotonic ms. */
  readonly until: number
}

/** What is left of a unit: its commands from `from` on. */
interface Part {
  readonly unit: Unit
  readonly index: number
  readonly from: number
  /** The replies to the commands before. */
  readonly done: readonly RedisReply[]
  readonly hops: number
}

const MOST_HOPS = 5

async function send(run: Run, node: ClusterNode, parts: readonly Part[], asking: boolean): Promise<void> {
  const { shard } = node
  const lists = parts.map(({ unit: { commands }, from }) => {
    const all = typeof commands === 'function' ? commands(shard) : commands
    return from === 0 ? all : all.slice(from)
  })
  let executed: Executed
  try {
    const commands = lists.length === 1 ? lists[0]! : lists.flat<readonly (readonly RedisCommand[])[]>()
    executed = await (asking ? shard.execAsking(commands) : shard.exec(commands))
  } catch (cause) {
    if (!(cause instanceof RedisUnavailableError)) throw cause
    for (const { index } of parts) run.outcomes[index] = cause
    return
  }
  const moved = new Map<ClusterNode, Part[]>()
  const asked = new Map<ClusterNode, Part[]>()
  let end = 0
  parts.forEach((part, i) => {
    const replies = executed.replies.slice(end, (end += lists[i]!.length))
    const at = replies.findIndex(isRedirect)
    if (at === -1) {
      if (replies.some(isUnwell)) run.router.unwell()
      const { session } = executed
      run.outcomes[part.index] = { replies: [...part.done, ...replies], session, shard, redirected: part.hops > 0 }
      return
    }
    const redirect = readRedirect(replies[at], node.address.host)!
    const target = run.router.follow(redirect)
    if (part.hops === MOST_HOPS || run.router.clock.mono() > run.until) {
      run.outcomes[part.index] = new RedisUnavailableError(node.id, 'redirected')
      return
    }
    put(redirect.kind === 'ASK' ? asked : moved, target, {
      ...part,
      from: part.from + at,
      done: [...part.done, ...replies.slice(0, at)],
      hops: part.hops + 1,
    })
  })
  await Promise.all([
    ...[...moved].map(([target, tails]) => sendWhenOpen(run, target, tails, false)),
    ...[...asked].map(([target, tails]) => sendWhenOpen(run, target, tails, true)),
  ])
}

/** A redirection may be the first that is heard of a node: then its session is waited for (R16). */
async function sendWhenOpen(run: Run, node: ClusterNode, parts: readonly Part[], asking: boolean): Promise<void> {
  if (node.shard.session === undefined) await node.opened(Math.max(0, run.until - run.router.clock.mono()))
  return send(run, node, parts, asking)
}

function put(shares: Map<ClusterNode, Part[]>, node: ClusterNode, part: Part): void {
  const share = shares.get(node)
  if (share === undefined) shares.set(node, [part])
  else share.push(part)
}

function isRedirect(reply: RedisReply): boolean {
  return reply instanceof RedisReplyError && readRedirect(reply, '') !== undefined
}

/** The slot is served by nobody, or its master was lost. The reply stays in its place. */
function isUnwell(reply: RedisReply): boolean {
  return reply instanceof RedisReplyError && (reply.reply === 'CLUSTERDOWN' || reply.reply === 'MASTERDOWN')
}
