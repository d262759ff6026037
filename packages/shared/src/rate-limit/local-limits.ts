import type { Clock } from '../kernel/clock.js'
import type { CounterReply, CounterSpec, Demand } from './rate-limit-store.js'
import { MemoryCounters } from './stores/memory.js'

/** Clients that one process limits by itself, of each kind: an outage is no time to keep every address of the world in memory. */
export const MOST_LOCAL_COUNTERS = 50_000

/** Counters of this process alone, with the limits divided by the number of processes: what stands in while the store is away. */
export class LocalLimits {
  private readonly counters: MemoryCounters
  private readonly shares = new WeakMap<CounterSpec, { readonly of: number; readonly spec: CounterSpec }>()

  constructor(clock: Clock) {
    this.counters = new MemoryCounters(clock, MOST_LOCAL_COUNTERS)
  }

  /** @param spend false: only looks */
  judge(demand: Demand, instances: number, spend: boolean): readonly CounterReply[] {
    return this.counters.judge(
      demand.map((ask) => ({ ...ask, spec: this.specOf(ask.spec, instances) })),
      spend,
    )
  }

  private specOf(spec: CounterSpec, instances: number): CounterSpec {
    const known = this.shares.get(spec)
    if (known?.of === instances) return known.spec
    const { limit, burst } = spec
    const share = { ...spec, limit: shareOf(limit, instances), burst: shareOf(burst, instances) }
    this.shares.set(spec, { of: instances, spec: share })
    return share
  }
}

/** What one process may give: at least 1, for a limit smaller than the number of processes is no reason to refuse all. */
export function shareOf(units: number, instances: number): number {
  return units === 0 ? 0 : Math.max(1, Math.floor(units / instances))
}
