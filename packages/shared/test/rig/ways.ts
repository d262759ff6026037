import type { RedisServer } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { type LineKind, Network } from './network.js'

/** The networks between one process and each server that it may reach. */
export class Ways {
  static async to(servers: readonly RedisServer[], seed: number): Promise<Ways> {
    const networks = await Promise.all(servers.map(({ port }, i) => Network.to(port, new SeededRandom(seed + 100 * i))))
    return new Ways(new Map(servers.map(({ host, port }, i) => [`${host}:${port}`, networks[i]!])))
  }

  private constructor(private readonly networks: ReadonlyMap<string, Network>) {}

  /** Where the process finds a server: through its network, or, when it was added later, directly. */
  addressOf({ host, port }: RedisServer): Address {
    return { host, port: this.networks.get(`${host}:${port}`)?.port ?? port }
  }

  /** The same for addresses that servers announce, as the client wants it. */
  get natMap(): Readonly<Record<string, Address>> {
    return Object.fromEntries([...this.networks].map(([id, { port }]) => [id, { host: '127.0.0.1', port }]))
  }

  /** See {@link Network.holdFor}; of all of them. */
  holdFor(ms: number): void {
    for (const network of this.all()) network.holdFor(ms)
  }

  /** See {@link Network.cut}; of all of them. */
  cut(): void {
    for (const network of this.all()) network.cut()
  }

  /** Those with such connections now. */
  with(kind: LineKind): Network[] {
    return this.all().filter((network) => network.has(kind))
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map((network) => network.stop()))
  }

  private all(): Network[] {
    return [...this.networks.values()]
  }
}

export interface Address {
  readonly host: string
  readonly port: number
}
