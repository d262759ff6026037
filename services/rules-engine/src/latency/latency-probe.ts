import { Injectable } from '@nestjs/common'
import { percentile, ServiceFacts, tenantSeed } from '@vextrus/service-kit'
import { RedisCacheService } from '@vextrus/shared/cache'
import { RuleSets } from '../rules/rule-sets.js'
import type { Latency, LatencyRow } from './latency.schemas.js'

/** An entry of this probe alone; `latency` is a global segment. Every process has its own reasons to measure, and all may share it. */
const KEY = 'latency:probe'

/** Reads at most until the entry is in L1; where there is no L1, all of them. */
const WARM_UP = 50

/** Reads of each kind, and the time after which no further one begins. */
const PLAN = {
  l1: { reads: 2_000, longestMs: 400 },
  l2: { reads: 500, longestMs: 600 },
  database: { reads: 200, longestMs: 600 },
}

/**
 * Measures what a read of one rule set costs, by where it is answered from. Every sample is a read that really came from there: one that did not
 * – L1 was emptied, Redis is away – is asked for and not counted.
 */
@Injectable()
export class LatencyProbe {
  private running: Promise<Latency> | undefined

  constructor(
    private readonly cache: RedisCacheService,
    private readonly ruleSets: RuleSets,
    private readonly facts: ServiceFacts,
  ) {}

  /** Takes about a second. Whoever asks meanwhile gets the same answer. */
  measure(): Promise<Latency> {
    this.running ??= this.run().finally(() => (this.running = undefined))
    return this.running
  }

  private async run(): Promise<Latency> {
    const load = () => this.ruleSets.load(tenantSeed[0]?.id ?? '', 'invoice.approval')
    await this.cache.getOrSet(KEY, load, '60s')
    // What was loaded is stored behind the caller's back, and the first read of it is L2's.
    for (let at = 0; at < WARM_UP && (await this.cache.lookup(KEY)).level !== 'l1'; at++);
    return {
      cache: this.facts.cachePlace,
      rows: [
        await sampled('L1 hit', PLAN.l1, async () => (await this.cache.lookup(KEY)).level === 'l1'),
        await sampled('L2 hit', PLAN.l2, async () => {
          let loaded = false
          await this.cache.getOrSet(KEY, () => ((loaded = true), load()), { ttl: '60s', l1: false })
          return !loaded
        }),
        await sampled('database', PLAN.database, async () => {
          await load()
          return true
        }),
      ],
    }
  }
}

/** @param read answers whether it came from where it was to come from */
async function sampled(
  source: LatencyRow['source'],
  { reads, longestMs }: { readonly reads: number; readonly longestMs: number },
  read: () => Promise<boolean>,
): Promise<LatencyRow> {
  const times: number[] = []
  const started = performance.now()
  let asked = 0
  for (; asked < reads && performance.now() - started < longestMs; asked++) {
    const before = performance.now()
    if (await read()) times.push(performance.now() - before)
  }
  const of = (percent: number) => (times.length === 0 ? null : Number(percentile(times, percent).toFixed(4)))
  return { source, reads: times.length, asked, p50Ms: of(50), p99Ms: of(99) }
}
