import type { Clock } from '../kernel/clock.js'
import { durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'
import type { RandomSource } from '../kernel/random.js'
import { RateLimitUnavailableError } from './errors.js'
import type { ConcurrencyOptions, RateLimitSource } from './public-types.js'
import { shareOf } from './local-limits.js'
import type { RateLimitStore } from './rate-limit-store.js'
import { escaped, onUnavailableOf, units } from './rules.js'

/** A place among those that run at the same time. It is given back when it is disposed of, or after its `ttl`. */
export interface ConcurrencyPlace extends AsyncDisposable {
  readonly source: RateLimitSource
  /** Gives the place back. Never rejects: what Redis is not told ends with the `ttl`. Twice does nothing. */
  release(): Promise<void>
}

/** Places among those that run at the same time, of all processes; while the store is away, of this one. */
export class Concurrency {
  private readonly local = new Map<string, Set<symbol>>()

  constructor(
    private readonly store: () => RateLimitStore,
    private readonly clock: Clock,
    private readonly random: RandomSource,
    private readonly instances: () => number,
  ) {}

  async enter(key: string, { limit, ttl, onUnavailable }: ConcurrencyOptions): Promise<ConcurrencyPlace | null> {
    assertKey(key)
    units(limit, 'limit', 0)
    const ttlMs = durationToMs(ttl, 'ttl')
    const policy = onUnavailableOf(onUnavailable)
    if (ttlMs > LONGEST_MS) throw new ConfigurationError('ttl', 'is above the maximum of 24 h; shorten it')
    const place = { id: `{c:${escaped(key)}}`, token: this.random.token() }
    try {
      if (!(await this.store().enter(place, limit, ttlMs))) return null
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
      if (!error.unsent) void this.leave(place)
      if (policy === 'deny') return null
      return policy === 'allow' ? placeOf('unavailable', async () => undefined) : this.enterHere(place.id, limit, ttlMs)
    }
    return placeOf('redis', () => this.leave(place))
  }

  private async leave(place: Parameters<RateLimitStore['leave']>[0]): Promise<void> {
    try {
      await this.store().leave(place)
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
    }
  }

  private enterHere(id: string, limit: number, ttlMs: number): ConcurrencyPlace | null {
    const taken = this.local.get(id) ?? new Set<symbol>()
    if (taken.size >= shareOf(limit, this.instances())) return null
    const place = Symbol('place')
    const leave = (): void => {
      timer.cancel()
      if (taken.delete(place) && taken.size === 0) this.local.delete(id)
    }
    const timer = this.clock.timer(ttlMs, leave)
    this.local.set(id, taken.add(place))
    return placeOf('local', async () => leave())
  }
}

const LONGEST_MS = 86_400_000

function placeOf(source: RateLimitSource, leave: () => Promise<void>): ConcurrencyPlace {
  let left: Promise<void> | undefined
  const release = (): Promise<void> => (left ??= leave())
  return { source, release, [Symbol.asyncDispose]: release }
}
