import type { Clock } from '../kernel/clock.js'
import type { DedicatedConnection, RedisPort } from './client.js'
import { MasterWatch } from './master-watch.js'
import type { Master } from './servers.js'
import { RedisShard } from './shard.js'
import { idOf, type NodeAddress } from './slot-map.js'
import type { ShardSession } from './topology.js'

/** One master of a Cluster with a connection of its own, from when it is heard of until it is none any more. */
export class ClusterNode {
  readonly id: string
  readonly shard: RedisShard
  readonly master: Master
  /** Monotonic ms. Until then it stays though the slot map does not have it: a redirection led here. */
  private keepUntil = 0
  private giveUpAt = 0
  private readonly watch: MasterWatch
  private readonly dedicated = new Set<DedicatedConnection>()
  private readonly waiting = new Set<() => void>()
  private closed = false

  constructor(
    readonly address: NodeAddress,
    private readonly port: RedisPort,
    private readonly clock: Clock,
    timeoutMs: number,
    private readonly on: ClusterNodeEvents,
  ) {
    this.id = idOf(address)
    this.shard = new RedisShard(this.id, clock, timeoutMs)
    this.watch = new MasterWatch(
      port,
      this.shard,
      clock,
      {
        session: (session) => this.session(session),
        up: (version) => on.up(this, version),
        down: (cause) => on.down(this, cause),
      },
      { inCluster: true },
    )
    this.master = {
      shard: this.shard,
      port: { id: this.id, dedicated: (options) => this.follow(port.dedicated(options)) },
    }
  }

  start(): void {
    this.watch.start()
  }

  /** A redirection led here: the node may not have a slot yet, or the slot map may lag behind. */
  keep(): void {
    const now = this.clock.mono()
    if (now >= this.keepUntil) this.giveUpAt = now + CONNECT_MS
    this.keepUntil = now + KEEP_MS
  }

  /** It may stay without being in the slot map: unless it can't be reached, and would keep the others from being relied on. */
  get kept(): boolean {
    const now = this.clock.mono()
    return now < this.keepUntil && (this.shard.session !== undefined || now < this.giveUpAt)
  }

  /** Resolves when there is a session, and `ms` later at the latest. */
  opened(ms: number): Promise<void> {
    if (this.shard.session !== undefined || this.closed) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.waiting.delete(done)
        resolve()
      }
      const timer = this.clock.timer(ms, done)
      this.waiting.add(done)
    })
  }

  /** What is under way rejects. Subscriptions end too: a node that has left its Cluster would be silent for ever. */
  async close(): Promise<void> {
    this.closed = true
    this.watch.stop()
    const had = this.shard.session !== undefined
    this.shard.close()
    for (const connection of this.dedicated) connection.close()
    for (const done of this.waiting) done()
    if (had) this.on.session(undefined)
    await this.port.close()
  }

  private session(session: ShardSession | undefined): void {
    this.on.session(session)
    if (session !== undefined) for (const done of this.waiting) done()
  }

  private async follow(opening: Promise<DedicatedConnection>): Promise<DedicatedConnection> {
    const connection = await opening
    if (this.closed) connection.close()
    else this.dedicated.add(connection)
    connection.onClose(() => this.dedicated.delete(connection))
    return connection
  }
}

export interface ClusterNodeEvents {
  session(session: ShardSession | undefined): void
  up(node: ClusterNode, version: string | undefined): void
  down(node: ClusterNode, cause: Error): void
}

/** A slot may be on its way for long without anybody being sent after it. */
const KEEP_MS = 60_000
const CONNECT_MS = 5_000
