import { type Clock, systemClock } from '../kernel/clock.js'
import { waitAtMost } from '../kernel/deadline.js'
import {
  type PubSubOptions,
  type PubSubStore,
  type PubSubSurroundings,
  PubSubUnavailableError,
  RedisPubSubService,
} from '../pubsub/index.js'
import { resolvePubSubOptions } from '../pubsub/options.js'
import { MemoryPubSubStore } from '../pubsub/stores/memory.js'
import { type Home, Lodging, type LodgingPlace } from './capability-home.js'

/** What messages take from a `forRoot`. */
export interface MessageSurroundings extends PubSubSurroundings {
  /** How long handlers that run get at shutdown, ms. @default 1_000 */
  readonly lastWorkMs?: number | undefined
}

/** The messages of one `forRoot`: its service. */
export class MessageRuntime extends Lodging<PubSubStore> {
  readonly capability = 'pubsub'
  private readonly kind: { readonly keepMs: number; readonly sharded: boolean }
  private readonly clock: Clock
  private readonly lastWorkMs: number
  private made: RedisPubSubService | undefined

  /** Opens nothing. @throws ConfigurationError, InvalidDurationError */
  constructor(
    place: LodgingPlace,
    private readonly options: PubSubOptions,
    private readonly surroundings: MessageSurroundings,
  ) {
    super(place)
    this.kind = resolvePubSubOptions(options)
    this.clock = surroundings.clock ?? systemClock
    this.lastWorkMs = surroundings.lastWorkMs ?? 1_000
  }

  /** What Nest injects; not asked for where a test has put something in its place. */
  get service(): RedisPubSubService {
    this.provide(RedisPubSubService)
    this.made ??= new RedisPubSubService(() => this.store, this.options, this.surroundings)
    return this.made
  }

  protected storeAt({ redis, hub, keyPrefix }: Home): PubSubStore {
    return redis?.messages(this.kind) ?? new MemoryPubSubStore(hub(), keyPrefix, this.kind.keepMs)
  }

  protected failing(where: string): PubSubStore {
    const fail = async (): Promise<never> => {
      throw new PubSubUnavailableError(`messages live ${where}; ask for them later`, { unsent: true })
    }
    return {
      ...{ publish: fail, append: fail, read: fail, last: fail },
      ...{ claim: fail, keep: fail, done: fail, listen: fail },
    }
  }

  /** No handler is called any more. One that does not end keeps nobody from ending. */
  protected async close(): Promise<void> {
    if (this.made !== undefined) await waitAtMost(this.made.close(), this.lastWorkMs, this.clock)
  }
}
