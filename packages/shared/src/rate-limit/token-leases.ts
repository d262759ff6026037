import { TickBatch } from '../kernel/batch.js'
import type { Clock, Timer } from '../kernel/clock.js'
import { RateLimitUnavailableError } from './errors.js'
import type { Ask, CounterReply, RateLimitStore } from './rate-limit-store.js'

/** What a process asks for of a counter of all tenants. */
export interface LeasedAsk extends Ask {
  /** Most units to hold in advance, and those of the callers that wait. */
  readonly lease: number
}

/**
 * Units of counters of all tenants, taken in advance and spent in the process: such a counter lives on one master, and would else cost every
 * request of every tenant a round trip there.
 *
 * A lease grows, by doubling, while it is used up more than once a second; so a quiet process asks for each unit alone, and is exact. What is held
 * at the end of a second is given back, and what comes back from a request that others refused is given back at once when it is more than a lease
 * may hold. So with `n` processes and leases of `l` units, at most `n * (l - 1)` units are refused although nobody spends them, for a second, and as
 * many may be spent up to a second after the window from which they were taken.
 */
export class TokenLeases {
  private readonly leases = new Map<string, Lease>()
  private readonly returns = new TickBatch<Lease>((leases) => this.giveBackSurplus(leases))
  private closed = false

  constructor(
    private readonly store: () => RateLimitStore,
    private readonly clock: Clock,
  ) {}

  /** Spends from the lease, or asks for more. @throws RateLimitUnavailableError */
  take(ask: LeasedAsk): CounterReply | Promise<CounterReply> {
    const lease = this.leaseOf(ask)
    if (lease.waiting.length === 0 && lease.units >= ask.cost) return lease.spend(ask.cost)
    const answer = new Promise<CounterReply>((resolve, reject) =>
      lease.waiting.push({ ask, asked: false, resolve, reject }),
    )
    lease.asking ??= this.refill(lease)
    return answer
  }

  /** What was taken and not needed after all. */
  giveBack(ask: LeasedAsk): void {
    const lease = this.leaseOf(ask)
    lease.units += ask.cost
    this.returns.add(lease)
  }

  /** Gives back all that is held, and from now on holds nothing. */
  async close(): Promise<void> {
    this.closed = true
    await Promise.all(
      [...this.leases.values()].map(async (lease) => {
        await lease.asking
        await this.end(lease)
      }),
    )
  }

  private leaseOf(ask: LeasedAsk): Lease {
    // Units of one limit say nothing of a smaller one, such as a tenant's plan has of the same counter.
    const name = `${ask.spec.limit} ${ask.spec.burst} ${ask.id}`
    let lease = this.leases.get(name)
    if (lease === undefined) {
      this.leases.set(name, (lease = new Lease(name, ask)))
      this.arm(lease)
    }
    return lease
  }

  /** What a lease may hold that nobody waits for. */
  private most({ lease }: LeasedAsk): number {
    return this.closed ? 0 : lease - 1
  }

  private arm(lease: Lease): void {
    lease.timer = this.clock.timer(LEASE_MS, () => {
      const { quiet } = lease
      void this.end(lease)
      if (quiet) return
      // A busy one goes on, and what it has learned of its size with it.
      this.leases.set(lease.name, lease)
      lease.refills = 0
      this.arm(lease)
    })
  }

  private async end(lease: Lease): Promise<void> {
    lease.timer?.cancel()
    this.leases.delete(lease.name)
    if (lease.units === 0) return
    lease.advance = Math.floor(lease.advance / 2)
    await this.refund(lease, lease.units)
  }

  private async giveBackSurplus(leases: readonly Lease[]): Promise<void> {
    await Promise.all(
      leases.map(async (lease) => {
        const surplus = lease.units - this.most(lease.of)
        // Those who wait will have it.
        if (surplus > 0 && lease.asking === undefined) await this.refund(lease, surplus)
      }),
    )
  }

  private async refund(lease: Lease, units: number): Promise<void> {
    lease.units -= units
    try {
      await this.store().refund([{ ...lease.of, cost: units, most: units }])
    } catch (error) {
      // Then they are spent, for their window.
      if (!(error instanceof RateLimitUnavailableError)) throw error
    }
  }

  private async refill(lease: Lease): Promise<void> {
    // All that ask in this turn are one question.
    await Promise.resolve()
    for (let first = lease.serve(); first !== undefined; first = lease.serve()) {
      const { ask } = first
      const cost = ask.cost - lease.units
      const wanted = lease.waiting.reduce((sum, waiting) => sum + waiting.ask.cost, 0) - lease.units
      const most = Math.max(cost, wanted + Math.min(lease.advance, this.most(ask)))
      for (const waiting of lease.waiting) waiting.asked = true
      try {
        const [reply] = await this.store().take([{ ...ask, cost, most }])
        if (reply!.granted === 0) lease.refused(ask.cost, reply!)
        else lease.refilled(reply!, this.most(ask))
      } catch (error) {
        for (const { reject } of lease.waiting.splice(0)) reject(error)
      }
    }
    lease.asking = undefined
    this.returns.add(lease)
  }
}

/** For how long units are held that nobody spends, ms. */
const LEASE_MS = 1_000

class Lease {
  /** Held, not spent. */
  units = 0
  /** Taken beyond what is asked for. */
  advance = 0
  /** In this second. */
  refills = 0
  /** Under way; never rejects for want of an answer. */
  asking: Promise<void> | undefined
  waiting: Waiting[] = []
  timer: Timer | undefined
  private last: CounterReply = { granted: 0, remaining: 0, retryUs: 0, resetUs: 0 }

  constructor(
    readonly name: string,
    readonly of: LeasedAsk,
  ) {}

  /** Nobody has needed it in this second. */
  get quiet(): boolean {
    return this.refills === 0 && this.asking === undefined
  }

  spend(cost: number): CounterReply {
    this.units -= cost
    const { remaining, resetUs } = this.last
    return { granted: cost, remaining: remaining + this.units, retryUs: 0, resetUs }
  }

  /** Those who wait get what is held, in their order. Answers the first for whom it is not enough. */
  serve(): Waiting | undefined {
    while (this.waiting[0] !== undefined && this.waiting[0].ask.cost <= this.units) {
      const { ask, resolve } = this.waiting.shift()!
      resolve(this.spend(ask.cost))
    }
    return this.waiting[0]
  }

  /** @param most that may be held in advance */
  refilled(reply: CounterReply, most: number): void {
    this.last = reply
    if (this.refills++ > 0) this.advance = Math.max(1, this.advance * 2)
    this.advance = Math.min(this.advance, most)
    this.units += reply.granted
  }

  /** All who wait for as much have the same answer, if they came before the question was sent: there may have been a refund since. */
  refused(cost: number, reply: CounterReply): void {
    this.last = reply
    const waiting = this.waiting.splice(0)
    for (const each of waiting) {
      if (each.asked && each.ask.cost === cost && cost > this.units) each.resolve(reply)
      else this.waiting.push(each)
    }
  }
}

interface Waiting {
  readonly ask: LeasedAsk
  /** By a question that is under way. */
  asked: boolean
  readonly resolve: (reply: CounterReply) => void
  readonly reject: (error: unknown) => void
}
