import type { InjectionToken } from '@nestjs/common'
import type { MemoryHub } from '../kernel/memory-hub.js'
import { getVextrusToken, type ServiceClass } from '../nest/tokens.js'
import { warnOfEviction } from './eviction-check.js'
import type { Capability } from './module-options.js'
import type { OnDemandRedis } from './on-demand-redis.js'

/** The storage of one `forRoot`: for what is its own, and for that of the connections whose `use` names it. */
export class Home {
  private opening: Promise<void> | undefined

  /**
   * @param redis undefined: the driver is `'memory'`
   * @param hub the memory; made when it is asked for
   * @param wanted what lives here, of all connections of the application, and is injected somewhere; known once Nest has resolved all
   */
  constructor(
    readonly redis: OnDemandRedis | undefined,
    readonly hub: () => MemoryHub,
    readonly keyPrefix: string,
    private readonly wanted: () => readonly Capability[],
    private readonly warn: (message: string) => void,
  ) {}

  /** Connects, before the application serves. Nothing with memory. @throws MissingPeerError */
  open(): Promise<void> {
    this.opening ??= this.connect()
    return this.opening
  }

  private async connect(): Promise<void> {
    if (this.redis === undefined) return
    await this.redis.connect()
    await warnOfEviction(this.redis.connection, this.wanted, this.warn)
  }
}

/** What a {@link Lodging} knows of its connection. */
export interface LodgingPlace {
  /** The `forRoot` it belongs to. */
  readonly name: string
  /** The connection whose home it has, as `use` names it; undefined: its own. */
  readonly livesOn: string | undefined
  /** Undefined: Nest has not made that connection yet. */
  readonly homeOf: (livesOn: string | undefined) => Home | undefined
  /** Something injects one of these tokens. */
  readonly isWanted: (tokens: ReadonlySet<InjectionToken>) => boolean
}

/** One capability of one `forRoot`, from boot to shutdown: under which tokens it is, where it lives, and how it ends. */
export abstract class Lodging<Store = unknown> {
  abstract readonly capability: Capability
  private readonly provided = new Set<InjectionToken>()
  private storage: Store | undefined
  private found: Home | undefined
  private ending: Promise<void> | undefined

  constructor(private readonly place: LodgingPlace) {}

  /** Undefined: on a connection that Nest has not made yet. */
  get home(): Home | undefined {
    this.found ??= this.place.homeOf(this.place.livesOn)
    return this.found
  }

  /** Whether something injects what was made of it. Not so where a test has put something in its place. */
  get wanted(): boolean {
    return this.place.isWanted(this.provided)
  }

  /** Connects, before the application serves, to where it lives. @throws MissingPeerError */
  async start(): Promise<void> {
    await this.home?.open()
  }

  /** What it holds gets a moment to be given back. Its home goes after all that live there. */
  end(): Promise<void> {
    this.ending ??= this.close()
    return this.ending
  }

  /** For its engine. */
  protected get store(): Store {
    const { home } = this
    if (home === undefined) return this.failing(`on the connection '${this.place.livesOn}', which is not made yet`)
    this.storage ??= this.storeAt(home)
    return this.storage
  }

  /** A service is made. */
  protected provide(service: ServiceClass): void {
    this.provided.add(getVextrusToken(service, this.place.name))
  }

  /** What it keeps its data by; called once. */
  protected abstract storeAt(home: Home): Store
  /** What stands in while its home is not made. Who waits asks again. @param where it lives, for the message of each of its errors */
  protected abstract failing(where: string): Store
  protected abstract close(): Promise<void>
}
