import type { Clock } from '../kernel/clock.js'
import { durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'
import type { RandomSource } from '../kernel/random.js'
import { RateLimitUnavailableError } from './errors.js'
import type { ConcurrencyOptions, RateLimitSource } from './public-types.js'
import { shareOf } from './local-limits.js'
import type { Place, RateLimitStore } from './rate-limit-store.js'
import { escaped, onUnavailableOf, units } from './rules.js'

/** A place among those that run at the same time. It is given back when it is disposed of, or after its `ttl`. */
export interface ConcurrencyPlace extends AsyncDisposable {
  readonly source: RateLimitSource
  /** Gives the place back, while Redis is away as soon as it is back. Never rejects. Twice does nothing. */
  release(): Promise<void>
}

/** Places among those that run at the same time, of all processes; while the store is away, of this one. */
export class Concurrency {
  private readonly local = new Map<string, Set<symbol>>()
  private closed = false

  constructor(
    private readonly store: () => RateLimitStore,
    private readonly clock: Clock,
    private readonly random: RandomSource,
    private readonly instances: () => number,
    private readonly checkKey: (key: string) => void,
  ) {}

  async enter(key: string, { limit, ttl, onUnavailable }: ConcurrencyOptions): Promise<ConcurrencyPlace | null> {
    assertKey(key)
    this.checkKey(key)
    units(limit, 'limit', 0)
    const ttlMs = durationToMs(ttl, 'ttl')
    const policy = onUnavailableOf(onUnavailable)
    if (ttlMs > LONGEST_MS) throw new ConfigurationError('ttl', 'is above the maximum of 24 h; shorten it')
    const place = { id: `{c:${escaped(key)}}`, token: this.random.token() }
    try {
      if (!(await this.store().enter(place, limit, ttlMs))) return null
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
      if (!error.unsent) void this.leave(place, this.clock.mono() + ttlMs)
      if (policy === 'deny') return null
      return policy === 'allow' ? placeOf('unavailable', async () => undefined) : this.enterHere(place.id, limit, ttlMs)
    }
    const until = this.clock.mono() + ttlMs
    return placeOf('redis', () => this.leave(place, until))
  }

  /** What could not be given back until now ends with its `ttl`. */
  close(): void {
    this.closed = true
  }

  /** Once, and then again and again until it is told or is over: an outage of a moment would else take its places away for their whole `ttl`. */
  private async leave(place: Place, until: number): Promise<void> {
    try {
      await this.store().leave(place)
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
      if (this.closed || this.clock.mono() >= until) return
      this.clock.timer(RETRY_MS, () => void (this.closed || this.leave(place, until)))
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
/** Between two attempts to give a place back. */
const RETRY_MS = 1_000

function placeOf(source: RateLimitSource, leave: () => Promise<void>): ConcurrencyPlace {
  let left: Promise<void> | undefined
  const release = (): Promise<void> => (left ??= leave())
  return { source, release, [Symbol.asyncDispose]: release }
}
