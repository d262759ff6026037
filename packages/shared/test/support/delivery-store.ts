import type { CacheStore, PushSource } from '../../src/cache/cache-store.js'
import { CacheUnavailableError } from '../../src/cache/errors.js'
import { settled } from './manual-clock.js'

/** An operation of the port, by its name. */
export type Operation = Exclude<keyof CacheStore, 'pushes' | 'inOrder'>

/** Hands every call to whoever decides when it arrives at the store and when its reply comes back. */
export class DeliveryStore implements CacheStore {
  /** A test may say that masters answer side by side. */
  inOrder: boolean
  readonly read = this.via('read')
  readonly tags = this.via('tags')
  readonly createClock = this.via('createClock')
  readonly acquire = this.via('acquire')
  readonly renew = this.via('renew')
  readonly release = this.via('release')
  readonly fill = this.via('fill')
  readonly set = this.via('set')
  readonly touch = this.via('touch')
  readonly lifetime = this.via('lifetime')
  readonly delete = this.via('delete')
  readonly deletePattern = this.via('deletePattern')
  readonly bumpTags = this.via('bumpTags')
  readonly clear = this.via('clear')
  readonly reclaim = this.via('reclaim')
  readonly placeHold = this.via('placeHold')
  readonly renewHold = this.via('renewHold')
  readonly endHold = this.via('endHold')
  readonly finishHolds = this.via('finishHolds')

  constructor(
    protected readonly inner: CacheStore,
    private readonly onCall: (call: StoreCall) => void,
    readonly pushes: PushSource = inner.pushes,
  ) {
    this.inOrder = inner.inOrder
  }

  private via<Name extends Operation>(operation: Name): CacheStore[Name] {
    const send = (...args: unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const run = (): Promise<unknown> => (this.inner[operation] as (...args: unknown[]) => Promise<unknown>)(...args)
        this.onCall(new StoreCall(operation, args, run, resolve, reject))
      })
    return send as CacheStore[Name]
  }
}

/** One call on its way: the request arrives, and later its reply does; either may not. */
export class StoreCall {
  /** `given up`: the caller was told that there is no answer, and the request may still arrive. */
  state: 'sent' | 'arrived' | 'answered' | 'given up' = 'sent'
  private outcome: Promise<unknown> | undefined

  constructor(
    readonly operation: Operation,
    readonly args: readonly unknown[],
    private readonly run: () => Promise<unknown>,
    private readonly resolve: (reply: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  /** It happens in the store, now. A write that its caller has given up does not (R14). */
  arrive(): void {
    if (this.state === 'given up' && (this.operation === 'set' || this.operation === 'touch')) return
    if (this.state === 'sent') this.state = 'arrived'
    this.outcome = this.run()
  }

  /** The reply of its arrival reaches the caller. @param change what the network made of it */
  reply(change: (reply: unknown) => unknown = (reply) => reply): void {
    if (this.state !== 'arrived') throw new Error(`a call that is ${this.state} has no reply to bring`)
    this.state = 'answered'
    void this.outcome!.then((reply) => this.resolve(change(reply)), this.reject)
  }

  /** The caller hears that there is no answer: the reply was lost, or its deadline passed. */
  giveUp(): void {
    this.state = 'given up'
    this.reject(new CacheUnavailableError('the test lost the answer'))
  }

  /** Arrival and reply. */
  deliver(): void {
    this.arrive()
    this.reply()
  }

  /** A copy of the request that nobody waits for: what a resend leaves in the network. */
  copy(): StoreCall {
    const nobody = (): void => undefined
    return new StoreCall(this.operation, this.args, this.run, nobody, nobody)
  }
}

/** A store that a test holds by hand: calls of the operations named in {@link hold} wait, the others go through. */
export class HeldStore extends DeliveryStore {
  private readonly operations = new Set<Operation>()
  private readonly waiting: StoreCall[] = []
  /** Every call so far, by operation. */
  readonly sent: Operation[] = []

  constructor(inner: CacheStore, pushes?: PushSource) {
    super(inner, (call) => this.received(call), pushes)
  }

  /** From now on calls of these operations wait for {@link next}. */
  hold(...operations: Operation[]): void {
    for (const operation of operations) this.operations.add(operation)
  }

  /** From now on they go through again; what waits, waits. */
  pass(...operations: Operation[]): void {
    for (const operation of operations) this.operations.delete(operation)
  }

  /** The oldest call of this operation that waits, once there is one. */
  async next(operation: Operation): Promise<StoreCall> {
    for (let round = 0; round < ROUNDS; round++) {
      const i = this.waiting.findIndex((call) => call.operation === operation)
      if (i >= 0) return this.waiting.splice(i, 1)[0]!
      await settled()
    }
    throw new Error(
      `no call of ${operation} came; waiting are [${this.waiting.map((call) => call.operation).join(', ')}]`,
    )
  }

  /** How many calls of this operation wait. */
  count(operation: Operation): number {
    return this.waiting.filter((call) => call.operation === operation).length
  }

  private received(call: StoreCall): void {
    this.sent.push(call.operation)
    if (this.operations.has(call.operation)) this.waiting.push(call)
    else call.deliver()
  }
}

/** More turns of the event loop than any chain of the engine's own steps needs. */
const ROUNDS = 50
