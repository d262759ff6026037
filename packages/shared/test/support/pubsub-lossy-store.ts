import type { Clock } from '../../src/kernel/clock.js'
import { PubSubUnavailableError } from '../../src/pubsub/errors.js'
import type {
  Appended,
  AppendOptions,
  Claimed,
  ClaimRequest,
  GroupMember,
  ListenTarget,
  LogPart,
  LogPlace,
  PubSubListener,
  PubSubStore,
} from '../../src/pubsub/pubsub-store.js'
import type { SeededRandom } from './seeded-random.js'

/** Most ms that something is under way. */
const LATE_MS = 40

/**
 * Another store of messages behind a bad network: calls are delayed, never get there, or get there while their caller hears that they did not;
 * what is pushed comes late, in another order, or not at all, and the connection of the pushes is lost for a time. All that is from `ail()` to
 * `heal()`; `die()` is the end of the process.
 */
export class LossyPubSubStore implements PubSubStore {
  private well = true
  private dead = false
  private cut = false
  private readonly listeners = new Set<PubSubListener>()

  /** @param faulty the part of calls and pushes that something befalls, 0 to 1 */
  constructor(
    private readonly inner: PubSubStore,
    private readonly clock: Clock,
    private readonly random: SeededRandom,
    private readonly faulty: number,
  ) {}

  ail(): void {
    this.well = false
  }

  heal(): void {
    this.well = true
    if (this.cut) this.mend()
  }

  die(): void {
    this.dead = true
  }

  /** The connection of the pushes is lost. */
  lose(): void {
    if (this.cut || this.well) return
    this.cut = true
    for (const listener of this.listeners) listener.lost()
  }

  mend(): void {
    if (!this.cut) return
    this.cut = false
    for (const listener of this.listeners) listener.heard()
  }

  publish(channel: string, body: string): Promise<void> {
    return this.call(() => this.inner.publish(channel, body))
  }

  append(channel: string, body: string, options: AppendOptions): Promise<Appended> {
    return this.call(() => this.inner.append(channel, body, options))
  }

  read(channel: string, after: string, count: number): Promise<LogPart> {
    return this.call(() => this.inner.read(channel, after, count))
  }

  last(channel: string): Promise<string> {
    return this.call(() => this.inner.last(channel))
  }

  claim(request: ClaimRequest): Promise<Claimed> {
    return this.call(() => this.inner.claim(request))
  }

  keep(member: GroupMember, ids: readonly string[]): Promise<readonly string[]> {
    return this.call(() => this.inner.keep(member, ids))
  }

  done(member: GroupMember, ids: readonly string[]): Promise<void> {
    return this.call(() => this.inner.done(member, ids))
  }

  async listen(target: ListenTarget, listener: PubSubListener): Promise<() => void> {
    this.listeners.add(listener)
    const stop = await this.inner.listen(target, {
      message: (channel, body, place) => this.push(() => listener.message(channel, body, place), place),
      lost: () => listener.lost(),
      heard: () => listener.heard(),
    })
    return () => {
      this.listeners.delete(listener)
      stop()
    }
  }

  private push(tell: () => void, place: LogPlace | null): void {
    if (this.cut || this.dead) return
    if (!this.befalls()) return tell()
    if (place !== null && this.random.chance(0.3)) return
    this.clock.timer(this.random.int(LATE_MS), () => {
      if (!this.cut) tell()
    })
  }

  private async call<T>(send: () => Promise<T>): Promise<T> {
    if (this.dead) throw new PubSubUnavailableError('dead')
    if (!this.befalls()) return send()
    await this.late()
    if (this.random.chance(0.3)) throw new PubSubUnavailableError('not sent', { unsent: true })
    const answer = await send()
    await this.late()
    if (this.dead || this.random.chance(0.3)) throw new PubSubUnavailableError('the answer was lost')
    return answer
  }

  private late(): Promise<void> {
    return new Promise((resolve) => void this.clock.timer(this.random.int(LATE_MS), resolve))
  }

  private befalls(): boolean {
    return !this.well && this.random.chance(this.faulty)
  }
}
