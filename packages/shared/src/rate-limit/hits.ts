import type { Clock } from '../kernel/clock.js'
import { durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import { keyPart } from '../kernel/key-part.js'
import { RateLimitUnavailableError } from './errors.js'
import type { HitOptions, HitResult } from './public-types.js'
import type { HitRequest, RateLimitStore } from './rate-limit-store.js'
import { MOST_LOCAL_COUNTERS, shareOf } from './local-limits.js'
import { escaped, onUnavailableOf, units } from './rules.js'
import { MemoryLimitSpace } from './stores/memory.js'

/** Counts for libraries that decide themselves; while the store is away, those of this process times the number of processes. */
export class Hits {
  private readonly local: MemoryLimitSpace

  constructor(
    private readonly store: () => RateLimitStore,
    clock: Clock,
    private readonly instances: () => number,
  ) {
    this.local = new MemoryLimitSpace(clock, MOST_LOCAL_COUNTERS)
  }

  async hit(key: string, { window, limit, blockFor, by = 1, onUnavailable }: HitOptions): Promise<HitResult> {
    const id = idOf(key)
    if (by !== 0 && by !== -1) units(by, 'by', 1)
    if (limit !== undefined) units(limit, 'limit', 0)
    const request: HitRequest = {
      id,
      by,
      windowMs: durationToMs(window, 'window'),
      limit,
      blockMs: blockFor === undefined ? 0 : durationToMs(blockFor, 'blockFor'),
    }
    const policy = onUnavailableOf(onUnavailable)
    try {
      return { ...(await this.store().hit(request)), source: 'redis' }
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
      return this.countAlone(request, policy)
    }
  }

  /** As if never hit, here and in the store. */
  async reset(key: string): Promise<void> {
    const id = idOf(key)
    this.local.forget(id)
    await this.store().reset([{ id }])
  }

  private countAlone(request: HitRequest, policy: HitOptions['onUnavailable']): HitResult {
    if (policy === 'allow')
      return { hits: Math.max(0, request.by), resetMs: request.windowMs, blockedMs: 0, source: 'unavailable' }
    if (policy === 'deny') {
      return { hits: (request.limit ?? 0) + 1, resetMs: SOON_MS, blockedMs: SOON_MS, source: 'unavailable' }
    }
    const { limit } = request
    const instances = this.instances()
    const share = limit === undefined ? undefined : shareOf(limit, instances)
    const reply = this.local.hit({ ...request, limit: share })
    const hits = reply.hits * instances
    // A limit smaller than the number of processes is no reason to refuse all: what is within the share is within the limit.
    const isWithin = limit !== undefined && share !== undefined && reply.hits <= share
    return { ...reply, hits: isWithin ? Math.min(hits, limit) : hits, source: 'local' }
  }
}

function idOf(key: string): string {
  if (typeof key !== 'string' || key === '') throw new ConfigurationError('key', 'must be a text')
  return `{h:${escaped(keyPart(key))}}`
}

const SOON_MS = 1_000
