import { Backoff } from '../kernel/backoff.js'
import type { Clock, Timer } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'
import type { RedisClientLike, RedisPort } from './client.js'
import { execUnits, type Router } from './cluster-exec.js'
import { ClusterNode } from './cluster-node.js'
import { RedisReplyError, RedisRoleError, RedisUnavailableError } from './errors.js'
import type { Redirect } from './redirect.js'
import { command } from './script.js'
import type { Door, Master, Servers, ServersEvents } from './servers.js'
import { slotOf } from './slot.js'
import {
  idOf,
  type NatMap,
  type NodeAddress,
  readOwnSlots,
  reachable,
  SLOTS,
  type SlotRange,
  textOf,
} from './slot-map.js'
import { SlotSource } from './slot-source.js'
import type { Layout, Shard, Unit, UnitOutcome } from './topology.js'

/**
 * The masters of a Cluster, each on a connection of its own, and the slot map that says which key is whose.
 *
 * The map is kept here and not left to the client library, whose redirections hide which node answered: the epoch of an entry (R5, R16) and
 * the coverage of the tracking sessions (R20) are facts of a node. It is asked for again at the loss of a master, at a MOVED, while a slot
 * is served by nobody, and every half minute. A redirection is believed at once; the map that comes after it confirms or corrects it.
 */
export class ClusterServers implements Servers {
  readonly sharded = true
  readonly id: string
  private readonly nodes = new Map<string, ClusterNode>()
  private slots = new Array<ClusterNode | undefined>(SLOTS)
  /** The map as text; empty before the first one, and since a redirection has changed it. */
  private text = ''
  private covered = false
  /** Those that have slots. */
  private owners: ReadonlySet<ClusterNode> = new Set()
  private masterList: readonly Master[] = []
  private shardList: readonly Shard[] = []
  /** Redirections by ASK that are known already. */
  private readonly asks = new Set<string>()

  private tools: ClusterTools | undefined
  private source: SlotSource | undefined
  private opening: Promise<void> | undefined
  private closed = false

  private refreshing: Promise<void> | undefined
  private again = false
  private askedAt = -Infinity
  private timer: Timer | undefined
  /** The timer is the slow one: nothing is amiss. */
  private calm = false
  private askFirst: ClusterNode | undefined
  private failure: Error | undefined
  private readonly retries: Backoff
  private readonly router: Router

  constructor(
    private readonly options: ClusterServersOptions,
    private readonly on: ServersEvents,
  ) {
    this.id = `${options.seeds.map(idOf)[0]!} (Cluster)`
    this.retries = new Backoff(RETRY, options.random)
    this.router = {
      clock: options.clock,
      timeoutMs: options.timeoutMs,
      nodeOf: (slot) => this.slots[slot],
      unserved: (slot) => this.unserved(slot),
      follow: (redirect) => this.follow(redirect),
      unwell: () => this.refresh(),
    }
  }

  get state(): Servers['state'] {
    if (this.failure === undefined && this.covered && [...this.owners].every(serves)) return 'ready'
    const stuck = [...this.nodes.values()].some(
      ({ shard }) => shard.session !== undefined && shard.circuit !== 'closed',
    )
    return stuck ? 'unavailable' : 'connecting'
  }

  get client(): RedisClientLike | undefined {
    return this.options.client ?? this.tools?.userClient()
  }

  /** Classic pub/sub reaches every node: any master will do. */
  get door(): Door {
    return {
      id: this.id,
      dedicated: (options) => {
        const open = [...this.nodes.values()].filter(serves)
        if (open.length === 0) {
          return Promise.reject(new RedisUnavailableError(this.id, 'not-connected', { cause: this.failure }))
        }
        return open[this.options.random.int(open.length)]!.master.port.dedicated(options)
      },
    }
  }

  shardOf(key: string): Shard | undefined {
    return this.slots[slotOf(key)]?.shard
  }

  shards(): readonly Shard[] {
    return this.shardList
  }

  masters(): readonly Master[] {
    return this.masterList
  }

  exec(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    return execUnits(units, this.router)
  }

  /** What every master says of itself. Where that is not the map that is known here, slots are on their way as well. */
  async layout(): Promise<Layout> {
    const nodes = [...this.nodes.values()]
    if (nodes.length === 0 || !this.covered) throw this.unserved(this.slots.findIndex((node) => node === undefined))
    const answers = await Promise.all(nodes.map(({ shard }) => shard.exec([command('CLUSTER', ['NODES'])])))
    const own = answers.map(({ replies: [reply] }, i) => {
      if (reply instanceof RedisReplyError) {
        throw new RedisUnavailableError(nodes[i]!.id, 'not-connected', { cause: reply })
      }
      return readOwnSlots(reply!)
    })
    const claims = own.flatMap(({ ranges }, i) => ranges.map((range) => ({ ...range, master: nodes[i]!.address })))
    const slots = textOf(claims.sort((a, b) => a.from - b.from))
    const agreed = slots === this.text
    if (!agreed) this.refresh()
    return { slots, migrating: !agreed || own.some(({ migrating }) => migrating) }
  }

  open(): Promise<void> {
    this.opening ??= this.begin()
    return this.opening
  }

  async close(): Promise<void> {
    this.closed = true
    this.timer?.cancel()
    await this.opening?.catch(() => undefined)
    this.timer?.cancel()
    const nodes = [...this.nodes.values()]
    this.nodes.clear()
    this.slots = new Array<ClusterNode | undefined>(SLOTS)
    this.covered = false
    this.relist()
    await Promise.all(nodes.map((node) => node.close()))
    // A question under way has connections of its own; it ends with its deadline at the latest.
    await this.refreshing
    await this.tools?.close()
  }

  private async begin(): Promise<void> {
    const { clock, seeds, natMap, makeTools } = this.options
    this.tools = await makeTools()
    if (this.closed) return
    const { makePort } = this.tools
    this.source = new SlotSource({ seeds, natMap, clock, makePort })
    this.refresh()
  }

  /** Asks for the map, soon. @param first who knows best */
  private refresh(first?: ClusterNode): void {
    if (first !== undefined) this.askFirst = first
    if (this.closed || this.source === undefined) return
    if (this.refreshing !== undefined) {
      this.again = true
      return
    }
    this.timer?.cancel()
    this.calm = false
    const waitMs = this.askedAt + PACE_MS - this.options.clock.mono()
    if (waitMs > 0) this.timer = this.options.clock.timer(waitMs, () => this.refresh())
    else this.refreshing = this.learn(this.source)
  }

  private async learn(source: SlotSource): Promise<void> {
    const first = this.askFirst
    this.askFirst = undefined
    const nodes = [...this.nodes.values()]
    const turn = nodes.length === 0 ? 0 : this.options.random.int(nodes.length)
    const order = [...nodes.slice(turn), ...nodes.slice(0, turn)].filter(serves)
    if (first !== undefined) order.sort((a, b) => Number(b === first) - Number(a === first))
    try {
      const { ranges, ok } = await source.ask(
        order,
        nodes.map(({ address }) => address),
      )
      if (this.closed) return
      this.apply(ranges)
      this.failure = ok && this.covered ? undefined : new Error('not all slots of the Cluster are served')
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause
      if (this.closed) return
      this.failure = cause
    } finally {
      this.refreshing = undefined
      this.askedAt = this.options.clock.mono()
    }
    if (this.failure === undefined) this.on.up(this.id, undefined)
    else this.on.down(this.id, this.failure)
    this.schedule()
  }

  private schedule(): void {
    if (this.closed) return
    const again = this.again
    this.again = false
    this.calm = !again && this.state === 'ready'
    if (this.calm) this.retries.reset()
    this.timer?.cancel()
    const afterMs = this.calm ? CALM_MS : again ? PACE_MS : PACE_MS + this.retries.next()
    this.timer = this.options.clock.timer(afterMs, () => this.refresh())
  }

  private apply(ranges: readonly SlotRange[]): void {
    const before = this.nodes.size
    const slots = new Array<ClusterNode | undefined>(SLOTS)
    for (const { from, to, master } of ranges) slots.fill(this.nodeAt(master), from, to + 1)
    const added = this.nodes.size > before
    this.slots = slots
    this.covered = !slots.includes(undefined)
    this.owners = new Set(slots.filter((node) => node !== undefined))
    const left = [...this.nodes.values()].filter((node) => !this.owners.has(node) && !node.kept)
    for (const node of left) this.remove(node)
    const text = textOf(ranges)
    if (!added && left.length === 0 && text === this.text) return
    this.text = text
    this.asks.clear()
    this.relist()
    this.on.moved('the slots of the Cluster')
  }

  /** R20: what is new in a redirection is told before anything else is read. */
  private follow({ kind, slot, to }: Redirect): ClusterNode {
    const before = this.nodes.size
    const node = this.nodeAt(reachable(to, this.options.natMap))
    node.keep()
    let news = this.nodes.size > before
    if (kind === 'MOVED') {
      if (this.slots[slot] !== node) {
        this.slots[slot] = node
        this.owners = new Set(this.owners).add(node)
        this.text = ''
        news = true
      }
      this.refresh(node)
    } else if (!this.asks.has(`${slot} ${node.id}`)) {
      this.asks.add(`${slot} ${node.id}`)
      news = true
    }
    if (news) {
      this.relist()
      this.on.moved(`${kind} to ${node.id}`)
    }
    return node
  }

  private nodeAt(address: NodeAddress): ClusterNode {
    const known = this.nodes.get(idOf(address))
    if (known !== undefined) return known
    const { clock, timeoutMs } = this.options
    const node = new ClusterNode(address, this.tools!.makePort(address), clock, timeoutMs, {
      session: (session) => this.on.session(session),
      up: (one, version) => this.found(one, version),
      down: (one, cause) => this.lost(one, cause),
    })
    this.nodes.set(node.id, node)
    node.start()
    return node
  }

  private found(node: ClusterNode, version: string | undefined): void {
    // The last one that was waited for: the map need not be asked for again at once.
    if (version !== undefined && this.refreshing === undefined && this.state === 'ready') this.schedule()
    this.on.up(node.id, version)
  }

  private lost(node: ClusterNode, cause: Error): void {
    if (this.nodes.get(node.id) !== node) return
    this.on.down(node.id, cause)
    // Otherwise it is being asked for already. A master that was demoted knows its successor.
    if (this.calm || cause instanceof RedisRoleError) this.refresh()
  }

  private remove(node: ClusterNode): void {
    this.nodes.delete(node.id)
    // Its connection ends by itself, also where the peer never answers.
    void node.close()
    this.on.gone(node.id)
  }

  private relist(): void {
    const nodes = [...this.nodes.values()]
    this.masterList = nodes.map(({ master }) => master)
    this.shardList = nodes.map(({ shard }) => shard)
  }

  private unserved(slot: number): RedisUnavailableError {
    if (this.calm) this.refresh()
    const cause = this.failure ?? new Error(`no master of the Cluster is known for slot ${slot}`)
    return new RedisUnavailableError(this.id, 'not-connected', { cause })
  }
}

export interface ClusterServersOptions {
  readonly seeds: readonly NodeAddress[]
  readonly natMap: NatMap | undefined
  readonly clock: Clock
  readonly random: RandomSource
  readonly timeoutMs: number
  /** The user's own. */
  readonly client: RedisClientLike | undefined
  /** @throws MissingPeerError */
  makeTools(): Promise<ClusterTools>
}

/** What the client library makes. */
export interface ClusterTools {
  /** A connection of our own to one node, not yet opened. */
  makePort(address: NodeAddress): RedisPort
  /** A cluster client for the user's own commands, made at the first call and connected at its first command. */
  userClient(): RedisClientLike
  close(): Promise<void>
}

function serves({ shard }: ClusterNode): boolean {
  return shard.session !== undefined && shard.circuit === 'closed'
}

const RETRY = { baseMs: 100, capMs: 1_000 }
/** Two questions are at least this far apart. */
const PACE_MS = 100
const CALM_MS = 30_000
