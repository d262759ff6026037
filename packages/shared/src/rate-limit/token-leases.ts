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
 * at the end of a second is given back. So with `n` processes and leases of `l` units, at most `n * (l - 1)` units are refused although nobody
 * spends them, for a second, and as many may be spent up to a second after the window from which they were taken.
 */
export class TokenLeases {
  private readonly leases = new Map<string, Lease>()

  constructor(
    private readonly store: () => RateLimitStore,
    private readonly clock: Clock,
  ) {}

  /** Spends from the lease, or asks for more. @throws RateLimitUnavailableError */
  take(ask: LeasedAsk): CounterReply | Promise<CounterReply> {
    const lease = this.leases.get(ask.id) ?? this.begin(ask)
    if (lease.waiting.length === 0 && lease.units >= ask.cost) return lease.spend(ask.cost)
    const answer = new Promise<CounterReply>((resolve, reject) => lease.waiting.push({ ask, resolve, reject }))
    if (!lease.asking) void this.refill(lease)
    return answer
  }

  /** What was taken and not needed after all. */
  giveBack(ask: LeasedAsk): void {
    const lease = this.leases.get(ask.id) ?? this.begin(ask)
    lease.units += ask.cost
  }

  /** Gives back all that is held. */
  async close(): Promise<void> {
    await Promise.all([...this.leases.values()].map((lease) => this.end(lease)))
  }

  private begin(ask: LeasedAsk): Lease {
    const lease = new Lease(ask)
    this.leases.set(ask.id, lease)
    this.arm(lease)
    return lease
  }

  private arm(lease: Lease): void {
    lease.timer = this.clock.timer(LEASE_MS, () => {
      const { quiet } = lease
      void this.end(lease)
      if (quiet) return
      // A busy one goes on, and what it has learned of its size with it.
      this.leases.set(lease.of.id, lease)
      lease.refills = 0
      this.arm(lease)
    })
  }

  private async end(lease: Lease): Promise<void> {
    lease.timer?.cancel()
    this.leases.delete(lease.of.id)
    const { units } = lease
    if (units === 0) return
    lease.units = 0
    lease.advance = Math.floor(lease.advance / 2)
    try {
      await this.store().refund([{ ...lease.of, cost: units, most: units }])
    } catch (error) {
      // Then they are spent, for their window.
      if (!(error instanceof RateLimitUnavailableError)) throw error
    }
  }

  private async refill(lease: Lease): Promise<void> {
    lease.asking = true
    while (lease.waiting.length > 0) {
      const { ask } = lease.waiting[0]!
      const wanted = lease.waiting.reduce((sum, waiting) => sum + waiting.ask.cost, 0) - lease.units
      const most = Math.max(ask.cost, wanted + Math.min(lease.advance, ask.lease - 1))
      try {
        const [reply] = await this.store().take([{ ...ask, most }])
        lease.refill(reply!)
      } catch (error) {
        for (const { reject } of lease.waiting.splice(0)) reject(error)
      }
    }
    lease.asking = false
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
  /** A question is under way. */
  asking = false
  waiting: Waiting[] = []
  timer: Timer | undefined
  private last: CounterReply = { granted: 0, remaining: 0, retryUs: 0, resetUs: 0 }

  constructor(readonly of: LeasedAsk) {}

  /** Nobody has needed it in this second. */
  get quiet(): boolean {
    return this.refills === 0 && !this.asking
  }

  spend(cost: number): CounterReply {
    this.units -= cost
    const { remaining, resetUs } = this.last
    return { granted: cost, remaining: remaining + this.units, retryUs: 0, resetUs }
  }

  /** Those who wait get what came, or hear why not. */
  refill(reply: CounterReply): void {
    this.last = reply
    const { ask } = this.waiting[0]!
    if (reply.granted === 0) {
      // Others that cost as much have the same answer.
      const refused = this.waiting.filter((waiting) => waiting.ask.cost === ask.cost)
      this.waiting = this.waiting.filter((waiting) => waiting.ask.cost !== ask.cost)
      for (const { resolve } of refused) resolve(reply)
      return
    }
    if (this.refills++ > 0) this.advance = Math.max(1, this.advance * 2)
    this.advance = Math.min(this.advance, ask.lease - 1)
    this.units += reply.granted
    while (this.waiting[0] !== undefined && this.waiting[0].ask.cost <= this.units) {
      const { ask: served, resolve } = this.waiting.shift()!
      resolve(this.spend(served.cost))
    }
  }
}

interface Waiting {
  readonly ask: LeasedAsk
  readonly resolve: (reply: CounterReply) => void
  readonly reject: (error: unknown) => void
}
