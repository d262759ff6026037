import { slotOf } from '../../src/redis/slot.js'
import { freePort, PortTaken, type RedisServer, startRedis } from './redis-server.js'
import { waitFor } from './wait-for.js'

const SLOTS = 16_384

/** A real Redis Cluster of a test: masters that share the slots evenly, and replicas of them. */
export interface RedisCluster {
  /** Every server, masters first. Failovers and {@link addMaster} don't change the order. */
  readonly servers: readonly RedisServer[]
  /** `{ host, port }` of every server. */
  readonly nodes: readonly { host: string; port: number }[]
  /** The master of a slot or a key, as the first server that answers has it. */
  masterOf(slotOrKey: number | string): Promise<RedisServer>
  /** A replica of this master. */
  replicaOf(master: RedisServer): Promise<RedisServer>
  /**
   * Moves a slot, key by key. `atStep` is called after each step: `importing`, `migrating` (from now on the state in which a master answers
   * ASK), each key, `done` at both ends, and lastly `told` to all others.
   */
  migrateSlot(slot: number, from: RedisServer, to: RedisServer, atStep?: AtStep): Promise<void>
  /** Its replica takes over, without a loss (CLUSTER FAILOVER). Resolves when both know. */
  failover(master: RedisServer): Promise<RedisServer>
  /** A further master, known to all and without slots. */
  addMaster(): Promise<RedisServer>
  /** Every server answers `cluster_state:ok`. */
  healthy(): Promise<void>
  stop(): Promise<void>
}

type AtStep = (step: string) => void | Promise<void>

export interface RedisClusterOptions {
  /** @default 3 */
  masters?: number
  /** For each master. @default 1 */
  replicas?: number
  password?: string
  /** How long a node may be silent until it counts as lost. @default 1500 */
  nodeTimeoutMs?: number
}

/** Starts the servers, joins them, and waits until all agree. */
export async function startCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 1 } = options
  const cluster = new LocalCluster(options)
  try {
    await cluster.form(masters, replicas)
    return cluster
  } catch (cause) {
    await cluster.stop()
    throw cause
  }
}

class LocalCluster implements RedisCluster {
  readonly servers: RedisServer[] = []
  private readonly busPorts = new Map<RedisServer, number>()
  private readonly ids = new Map<RedisServer, string>()

  constructor(private readonly options: RedisClusterOptions) {}

  get nodes(): { host: string; port: number }[] {
    return this.servers.map(({ host, port }) => ({ host, port }))
  }

  async form(masters: number, replicas: number): Promise<void> {
    await Promise.all(Array.from({ length: masters * (1 + replicas) }, () => this.startNode()))
    await Promise.all(
      this.servers.map(async (server, i) => {
        await server.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
        if (i >= masters) return
        const [from, to] = [Math.ceil((i * SLOTS) / masters), Math.ceil(((i + 1) * SLOTS) / masters) - 1]
        await server.command('CLUSTER', 'ADDSLOTSRANGE', from, to)
      }),
    )
    await this.meet(this.servers)
    await Promise.all(
      this.servers.slice(masters).map((replica, i) => this.replicate(replica, this.servers[i % masters]!)),
    )
    await this.healthy()
  }

  async masterOf(slotOrKey: number | string): Promise<RedisServer> {
    const slot = typeof slotOrKey === 'number' ? slotOrKey : slotOf(slotOrKey)
    for (const server of this.servers) {
      const rows = await this.ask(server, 'SLOTS')
      const row = (rows as [number, number, [string, number]][] | undefined)?.find(
        ([from, to]) => from <= slot && slot <= to,
      )
      if (row !== undefined) return this.at(row[2][1])
    }
    throw new Error(`no server serves slot ${slot}`)
  }

  async replicaOf(master: RedisServer): Promise<RedisServer> {
    const [line] = (await master.command('CLUSTER', 'REPLICAS', await this.idOf(master))) as string[]
    const [, port] = /^\S+ \S+:(\d+)@/.exec(line ?? '') ?? []
    return this.at(Number(port))
  }

  async migrateSlot(slot: number, from: RedisServer, to: RedisServer, atStep: AtStep = () => undefined): Promise<void> {
    const [fromId, toId] = [await this.idOf(from), await this.idOf(to)]
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await atStep('importing')
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    await atStep('migrating')
    const auth = this.options.password === undefined ? [] : ['AUTH', this.options.password]
    for (;;) {
      const [key] = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
      if (key === undefined) break
      // A replica that was promoted may have a copy of a key that its master had given away: what is served now counts.
      await from.command('MIGRATE', to.host, to.port, key, 0, 5_000, 'REPLACE', ...auth)
      await atStep(key)
    }
    await to.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    await from.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    await atStep('done')
    for (const server of this.servers) await this.ask(server, 'SETSLOT', slot, 'NODE', toId)
    await atStep('told')
  }

  async failover(master: RedisServer): Promise<RedisServer> {
    const replica = await this.replicaOf(master)
    await replica.command('CLUSTER', 'FAILOVER')
    await waitFor('the failover', async () => {
      const roles = await Promise.all([replica, master].map((server) => server.command('ROLE')))
      return (roles as [string][]).map(([role]) => role).join() === 'master,slave'
    })
    return replica
  }

  async addMaster(): Promise<RedisServer> {
    const server = await this.startNode()
    await this.meet(this.servers)
    await this.healthy()
    return server
  }

  async healthy(): Promise<void> {
    await waitFor(
      'all nodes agree that all is well',
      async () => {
        const states = await Promise.all(
          this.servers.map(async (server) => {
            const [state, replication] = [await this.ask(server, 'INFO'), await server.command('INFO', 'replication')]
            return /^cluster_state:ok/m.test(String(state)) && !/^master_link_status:down/m.test(String(replication))
          }),
        )
        return !states.includes(false)
      },
      20_000,
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()))
  }

  /** Its bus port may be taken by another process before it is bound, as its own port may: then it is tried with the next one. */
  private async startNode(): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.startNodeOn(await freePort())
      } catch (cause) {
        if (attempt === 5 || !(cause instanceof PortTaken)) throw cause
      }
    }
  }

  private async startNodeOn(busPort: number): Promise<RedisServer> {
    const { password, nodeTimeoutMs = 1_500 } = this.options
    const server = await startRedis({
      ...(password === undefined ? {} : { password }),
      args: [
        ...`--cluster-enabled yes --cluster-port ${busPort} --cluster-node-timeout ${nodeTimeoutMs}`.split(' '),
        // A failover at once, whatever the replica missed while the test was at work.
        ...'--cluster-replica-validity-factor 0 --cluster-allow-replica-migration no'.split(' '),
        ...'--repl-diskless-sync yes --repl-diskless-sync-delay 0 --repl-diskless-load swapdb'.split(' '),
        ...(password === undefined ? [] : ['--masterauth', password]),
      ],
    })
    this.busPorts.set(server, busPort)
    this.servers.push(server)
    return server
  }

  /** Everybody is introduced to everybody: gossip would take longer. */
  private async meet(servers: readonly RedisServer[]): Promise<void> {
    for (const one of servers) {
      for (const other of servers) {
        if (one !== other) await one.command('CLUSTER', 'MEET', other.host, other.port, this.busPorts.get(other)!)
      }
    }
    await waitFor(
      'all nodes know each other',
      async () => {
        const lists = await Promise.all(servers.map((server) => server.command('CLUSTER', 'NODES')))
        return lists.every((list) => {
          const lines = String(list).trim().split('\n')
          return lines.length === servers.length && !/handshake| disconnected/.test(String(list))
        })
      },
      15_000,
    )
  }

  private async replicate(replica: RedisServer, master: RedisServer): Promise<void> {
    await replica.command('CLUSTER', 'REPLICATE', await this.idOf(master))
    await waitFor('the replica has its data', async () =>
      /^master_link_status:up/m.test(String(await replica.command('INFO', 'replication'))),
    )
  }

  private async idOf(server: RedisServer): Promise<string> {
    const id = this.ids.get(server) ?? String(await server.command('CLUSTER', 'MYID'))
    this.ids.set(server, id)
    return id
  }

  /** Undefined: the server does not answer, or has been stopped. */
  private async ask(server: RedisServer, ...args: (string | number)[]): Promise<unknown> {
    try {
      return await server.command('CLUSTER', ...args)
    } catch {
      return undefined
    }
  }

  private at(port: number): RedisServer {
    const server = this.servers.find((one) => one.port === port)
    if (server === undefined) throw new Error(`no server of the cluster has port ${port}`)
    return server
  }
}
