import type { Ioredis, IoredisClient } from './ioredis-client.js'
import { type NatMap, type NodeAddress, reachable } from '../slot-map.js'

/**
 * Hears from the Sentinels that another server has become the master.
 *
 * The old master itself is told by them only after a while (four periods of their announcements, eight seconds) when it was reachable all the
 * time, as in a failover on demand. Until then it says that it is master, and answers; whoever connects meanwhile is sent to the new one. So
 * it must not be believed for as long as it says so: what it is told is lost, and what it answers is old.
 *
 * Each Sentinel is listened to, the given ones and those that they know: the first one to name the new master tells. This is not ioredis' `failoverDetector`,
 * which ends the client for good when it hears of a failover while a connection is being made.
 */
export class SentinelSwitches {
  private readonly clients = new Map<string, IoredisClient>()
  private closed = false

  constructor(
    private readonly ioredis: Ioredis,
    private readonly settings: SentinelSettings,
    private readonly clientOptions: object,
    private readonly onSwitch: (to: NodeAddress) => void,
  ) {}

  start(): void {
    for (const { host, port } of this.settings.nodes) this.listen(host, port)
  }

  close(): void {
    this.closed = true
    for (const client of this.clients.values()) {
      client.disconnect()
      client.stream?.destroy()
    }
  }

  private listen(host: string, port: number): void {
    const id = `${host}:${port}`
    if (this.closed || this.clients.has(id) || this.clients.size === MOST_SENTINELS) return
    const { name, username, password, tls } = this.settings
    const client = new this.ioredis.Redis({
      ...this.clientOptions,
      ...{ host, port, username, password, tls },
      lazyConnect: true,
      protocol: 2,
      replyMapping: 'legacy',
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepAlive: KEEP_ALIVE_MS,
      retryStrategy: (attempt: number) => Math.min(attempt * 100, MOST_BETWEEN_ATTEMPTS_MS),
    })
    this.clients.set(id, client)
    // One that is away is no news: the connection to the master goes on, and asks the others.
    client.on('error', () => undefined)
    client.on('ready', () => void this.subscribe(client, host).catch(() => undefined))
    client.on('message', (channel: string, text: string) => {
      const to = promotedIn(channel, text, name)
      if (to !== undefined) this.onSwitch(this.reach(to))
    })
    client.connect().catch(() => undefined)
  }

  private async subscribe(client: IoredisClient, host: string): Promise<void> {
    const { name } = this.settings
    const others = (await client.call('SENTINEL', 'SENTINELS', name)) as readonly (readonly string[])[]
    await client.call('subscribe', PROMOTED, SWITCHED)
    for (const flat of others) {
      const facts = new Map(flat.flatMap((fact, i) => (i % 2 === 0 ? [[fact, flat[i + 1]!] as const] : [])))
      const there = this.reach({ host: facts.get('ip') ?? host, port: Number(facts.get('port')) })
      this.listen(there.host, there.port)
    }
  }

  private reach(announced: NodeAddress): NodeAddress {
    return reachable(announced, (this.clientOptions as { readonly natMap?: NatMap }).natMap)
  }
}

/** Told by the Sentinel that leads the failover, from when on it names the new master. */
const PROMOTED = '+promoted-slave'
/** Told by each Sentinel that has heard of it; by the leader when all other replicas have been sent to the new master, too. */
const SWITCHED = '+switch-master'

/** `slave <its name> <host> <port> @ <name> <old host> <old port>`; `<name> <old host> <old port> <host> <port>`. */
function promotedIn(channel: string, text: string, name: string): NodeAddress | undefined {
  const words = text.split(' ')
  const [of, host, port] = channel === PROMOTED ? [words[5], words[2], words[3]] : [words[0], words[3], words[4]]
  return of === name && host !== undefined ? { host, port: Number(port) } : undefined
}

/** Who the Sentinels are, and what they call the master. */
export interface SentinelSettings {
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly name: string
  readonly username?: string
  readonly password?: string
  readonly tls?: object
}

const MOST_SENTINELS = 10
const CONNECT_TIMEOUT_MS = 1_000
const MOST_BETWEEN_ATTEMPTS_MS = 1_000
/** A Sentinel says nothing for months: the only way to find out that it has vanished. */
const KEEP_ALIVE_MS = 10_000
