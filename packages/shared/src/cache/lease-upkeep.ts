import type { Clock, Timer } from '../kernel/clock.js'
import type { Encoded } from '../kernel/codec/value-codec.js'
import type { CacheStore, HeldLease } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import type { Grant, LeaseBatches } from './lease-batches.js'
import type { Storing } from './load-plan.js'
import type { Statistics } from './statistics.js'

/** Life of a lease. A process that dies while loading delays the others by this at most. */
export const LEASE_MS = 3_000

/** What is stored under a lease. */
export type LoadedEntry = Encoded & Storing

/** What a process does with the leases that it holds: it renews them, fills and gives them back (R7, R8), off its callers' path. */
export class LeaseUpkeep {
  private readonly background = new Set<Promise<unknown>>()

  constructor(
    private readonly store: CacheStore,
    private readonly leases: LeaseBatches,
    private readonly clock: Clock,
    private readonly statistics: Statistics,
  ) {}

  /** How much is under way in the store. */
  get size(): number {
    return this.background.size
  }

  /** Resolves when all of it has ended, one way or another. */
  async settled(): Promise<void> {
    // A fill without an answer leaves the release of its lease behind.
    while (this.background.size > 0) await Promise.allSettled(this.background)
  }

  /** Renews a lease until it is cancelled, or gone: one that is gone is never created again. */
  keepAlive(lease: HeldLease): Timer {
    let timer: Timer
    let stopped = false
    const again = () => {
      timer = this.clock.timer(LEASE_MS / 3, () => {
        this.inBackground(
          this.store.renew([lease], LEASE_MS).then(([held]) => {
            if (held === true && !stopped) again()
          }),
        )
      })
    }
    again()
    return {
      cancel: () => {
        stopped = true
        timer.cancel()
      },
    }
  }

  /** Stores what was loaded. True: it was accepted, and those who came late may have it (R9). @param loadMs how long the loader took */
  fill(
    { lease, g, s, e }: Grant,
    { codec, payload, ttlMs, graceMs, tags, nearMs }: LoadedEntry,
    loadMs: number,
  ): Promise<boolean> {
    // Early refresh weighs the load's duration: one slow load must not have the entry refreshed all the time (R15).
    const deltaMs = Math.round(Math.min(loadMs, ttlMs / 3))
    const entry = { key: lease.key, g, s, deltaMs, nearMs, version: null, codec, payload, ttlMs, graceMs, tags }
    const filled = this.leases.fill({ ...lease, e, entry }).then((accepted) => {
      // Should it still come to the store it is refused; without this the others would wait for the lease's end.
      if (accepted === null) this.release(lease)
      return accepted === true
    })
    this.track(filled)
    return filled
  }

  release(lease: HeldLease): void {
    this.inBackground(this.store.release([lease]))
  }

  /** Takes away the entry that a load was to replace, and the lease with it. */
  delete(key: string): void {
    this.inBackground(this.store.delete([key]))
  }

  /** Work nobody waits for: what it could not do in the store, the lease's end does. */
  inBackground(work: Promise<unknown>): void {
    this.track(
      work.catch((error: unknown) => {
        if (!(error instanceof CacheUnavailableError)) throw error
        this.statistics.failed(error)
      }),
    )
  }

  private track(work: Promise<unknown>): void {
    this.background.add(work)
    const done = () => void this.background.delete(work)
    work.then(done, done)
  }
}
