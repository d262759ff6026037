import type { Clock } from '../kernel/clock.js'
import type { IoredisPort } from './adapters/ioredis.js'
import type { RedisClientLike } from './client.js'
import { RedisUnavailableError } from './errors.js'
import { type MasterEvents, MasterWatch } from './master-watch.js'
import type { Door, Master, Servers, ServersEvents } from './servers.js'
import { RedisShard } from './shard.js'
import type { Layout, RedisCommand, Shard, Unit, UnitOutcome } from './topology.js'

/** One master that holds all keys: a standalone server, or whichever one the Sentinels name. */
export class SingleServer implements Servers {
  readonly sharded = false
  private readonly shard: RedisShard
  private readonly list: readonly Shard[]
  private known: readonly Master[] = []
  private watch: MasterWatch | undefined
  private opening: Promise<void> | undefined
  private closed = false

  /** @param port a given client's, or what makes one when it is wanted */
  constructor(
    name: string,
    private port: IoredisPort | undefined,
    private readonly options: SingleServerOptions,
    private readonly on: ServersEvents,
  ) {
    this.shard = new RedisShard(port?.id ?? name, options.clock, options.timeoutMs)
    this.list = [this.shard]
    this.adopt(port)
  }

  get id(): string {
    return this.shard.id
  }

  get state(): Servers['state'] {
    if (this.shard.session === undefined) return 'connecting'
    return this.shard.circuit === 'closed' ? 'ready' : 'unavailable'
  }

  get client(): RedisClientLike | undefined {
    return this.port?.client
  }

  get door(): Door {
    return this.known[0]?.port ?? this.closedDoor
  }

  shardOf(_key: string): Shard {
    return this.shard
  }

  shards(): readonly Shard[] {
    return this.list
  }

  /** Empty before {@link open}. */
  masters(): readonly Master[] {
    return this.known
  }

  /** All units in one write: the way of every read. */
  async exec(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    const { shard } = this
    const lists = units.map(({ commands }) => (typeof commands === 'function' ? commands(shard) : commands))
    const alone = lists.length === 1
    let executed
    try {
      executed = await shard.exec(alone ? lists[0]! : lists.flat<readonly (readonly RedisCommand[])[]>())
    } catch (cause) {
      if (!(cause instanceof RedisUnavailableError)) throw cause
      return units.map(() => cause)
    }
    const { replies, session } = executed
    if (alone) return [{ replies, session, shard, redirected: false }]
    let end = 0
    return lists.map((list) => {
      const own = replies.slice(end, (end += list.length))
      return { replies: own, session, shard, redirected: false }
    })
  }

  async layout(): Promise<Layout> {
    return EVERYTHING_HERE
  }

  open(): Promise<void> {
    this.opening ??= this.begin()
    return this.opening
  }

  async close(): Promise<void> {
    this.closed = true
    this.watch?.stop()
    // A client that is still being made would otherwise be left open.
    await this.opening?.catch(() => undefined)
    await this.port?.close()
    const had = this.shard.session !== undefined
    this.shard.close()
    if (had) this.on.session(undefined)
  }

  private async begin(): Promise<void> {
    const { clock, movable, makePort } = this.options
    this.port ??= await makePort()
    this.adopt(this.port)
    if (this.closed) return
    const on: MasterEvents = {
      session: (session) => this.on.session(session),
      up: (version) => this.on.up(this.id, version),
      down: (cause) => this.on.down(this.id, cause),
    }
    this.watch = new MasterWatch(this.port, this.shard, clock, on, { movable })
    this.watch.start()
  }

  private adopt(port: IoredisPort | undefined): void {
    if (port !== undefined && this.known.length === 0) this.known = [{ port, shard: this.shard }]
  }

  private readonly closedDoor: Door = {
    id: '',
    dedicated: () => Promise.reject(new RedisUnavailableError(this.id, 'not-connected')),
  }
}

export interface SingleServerOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Sentinels decide which server it is. */
  readonly movable: boolean
  /** @throws MissingPeerError */
  makePort(): Promise<IoredisPort>
}

const EVERYTHING_HERE: Layout = Object.freeze({ slots: 'all', migrating: false })
