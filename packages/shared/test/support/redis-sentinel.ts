import { freePort, type RedisServer, startRedis } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** A real master with replicas and Sentinels of a test. */
export interface RedisSentinels {
  /** What the Sentinels call the master. */
  readonly name: string
  /** The data servers; the first was the master at the start. */
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** `{ host, port }` of every Sentinel. */
  readonly nodes: readonly { host: string; port: number }[]
  /** The port of the master, as the Sentinels have it. */
  masterPort(): Promise<number>
  master(): Promise<RedisServer>
  /**
   * Resolves when the replicas have what the master has been told so far. (`WAIT` counts only what its own connection wrote, and a replica
   * whose link is up may not have been sent anything yet.)
   */
  replicated(): Promise<void>
  /** Has the Sentinels make another server the master. Resolves when it is. */
  failover(): Promise<RedisServer>
  /**
   * What lies between two messages of a Sentinel to all others, ms. After four of these a Sentinel that has not heard of a failover makes the
   * promoted replica a replica again; and one that has led it tells the old master. @default 300 for one Sentinel, 1,000 for several
   */
  speak(everyMs?: number): Promise<void>
  stop(): Promise<void>
}

export interface RedisSentinelOptions {
  /** @default 1 */
  replicas?: number
  /**
   * Several may vote each for itself, or take a promoted replica back before they have heard of the failover; then the next election is
   * seconds away. @default 1
   */
  sentinels?: number
  /** Of the data servers. */
  password?: string
  /** Of the Sentinels. */
  sentinelPassword?: string
  /** How long a master may be silent until it counts as lost. @default 800 */
  downAfterMs?: number
}

const NAME = 'mymaster'

/** Starts all servers and waits until the Sentinels know the replicas and each other. */
export async function startSentinel(options: RedisSentinelOptions = {}): Promise<RedisSentinels> {
  const { replicas = 1, sentinels = 1, password, sentinelPassword, downAfterMs = 800 } = options
  const all: RedisServer[] = []
  const stop = async (): Promise<void> => void (await Promise.all(all.map((server) => server.stop())))
  const start = async (...args: Parameters<typeof startRedis>): Promise<RedisServer> => {
    const server = await startRedis(...args)
    all.push(server)
    return server
  }
  try {
    const auth = password === undefined ? [] : ['--masterauth', password]
    const args = [...'--repl-diskless-sync yes --repl-diskless-sync-delay 0'.split(' '), ...auth]
    const data = password === undefined ? {} : { password }
    const first = await start({ ...data, args })
    const others = await Promise.all(
      Array.from({ length: replicas }, () =>
        start({ ...data, args: [...args, '--replicaof', `${first.host} ${first.port}`] }),
      ),
    )
    await waitFor('the replicas have their data', async () => {
      const infos = await Promise.all(others.map((server) => server.command('INFO', 'replication')))
      return infos.every((info) => /^master_link_status:up/m.test(String(info)))
    })
    const config = [
      `sentinel monitor ${NAME} ${first.host} ${first.port} ${Math.floor(sentinels / 2) + 1}`,
      `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${NAME} 2000`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${NAME} ${password}`]),
      ...(sentinelPassword === undefined ? [] : [`sentinel sentinel-pass ${sentinelPassword}`]),
    ]
    const watchers = await Promise.all(
      Array.from({ length: sentinels }, async () =>
        start({
          port: await freePort(),
          config,
          args: ['--sentinel'],
          ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
        }),
      ),
    )
    const running = new LocalSentinels([first, ...others], watchers, stop)
    await running.acquainted()
    return running
  } catch (cause) {
    await stop()
    throw cause
  }
}

class LocalSentinels implements RedisSentinels {
  readonly name = NAME

  constructor(
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly RedisServer[],
    readonly stop: () => Promise<void>,
  ) {}

  get nodes(): { host: string; port: number }[] {
    return this.sentinels.map(({ host, port }) => ({ host, port }))
  }

  async acquainted(): Promise<void> {
    // Seconds by default: a test has no time for that. A replica that was silent for five ping periods is not promoted, so not too quick.
    await this.debug('INFO-PERIOD', 300, 'PING-PERIOD', 400, 'ASK-PERIOD', 200, 'PUBLISH-PERIOD', 100)
    await waitFor(
      'the Sentinels know the replicas and each other',
      async () => {
        const masters = await Promise.all(this.sentinels.map((one) => one.command('SENTINEL', 'MASTER', NAME)))
        return masters.every((reply) => {
          const facts = new Map(pairs(reply as string[]))
          return (
            Number(facts.get('num-slaves')) === this.servers.length - 1 &&
            Number(facts.get('num-other-sentinels')) === this.sentinels.length - 1 &&
            facts.get('flags') === 'master'
          )
        })
      },
      15_000,
    )
    await this.speak()
  }

  async speak(everyMs = this.sentinels.length === 1 ? 300 : 1_000): Promise<void> {
    await this.debug('PUBLISH-PERIOD', everyMs)
  }

  private async debug(...settings: (string | number)[]): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.command('SENTINEL', 'DEBUG', ...settings)))
  }

  async masterPort(): Promise<number> {
    const [, port] = (await this.sentinels[0]!.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string]
    return Number(port)
  }

  async master(): Promise<RedisServer> {
    const port = await this.masterPort()
    return this.servers.find((server) => server.port === port)!
  }

  async replicated(): Promise<void> {
    const master = await this.master()
    const told = await replicationOffset(master)
    const replicas = this.servers.filter((server) => server !== master)
    await waitFor('the replicas have what the master has', async () => {
      const offsets = await Promise.all(replicas.map(replicationOffset))
      return offsets.every((offset) => offset >= told)
    })
  }

  async failover(): Promise<RedisServer> {
    const before = await this.masterPort()
    await waitFor('a replica that can be promoted', () => this.beginFailover(), 15_000)
    await waitFor('another master', async () => (await this.masterPort()) !== before, 15_000)
    return this.master()
  }

  /** False: the Sentinel has not heard from a replica lately (a busy machine), or is at a failover already. */
  private async beginFailover(): Promise<boolean> {
    try {
      await this.sentinels[0]!.command('SENTINEL', 'FAILOVER', NAME)
      return true
    } catch (error) {
      if (error instanceof Error && /^(NOGOODSLAVE|INPROG)/.test(error.message)) return false
      throw error
    }
  }
}

async function replicationOffset(server: RedisServer): Promise<number> {
  const info = String(await server.command('INFO', 'replication'))
  return Number(/^master_repl_offset:(\d+)/m.exec(info)?.[1])
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!]] : []))
}
