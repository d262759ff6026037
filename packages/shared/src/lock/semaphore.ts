import { ConfigurationError } from '../kernel/errors.js'
import type { Lock, ReleaseOutcome } from './held-lock.js'
import { releaseLock } from './lock.js'
import type { LockEngine } from './lock-engine.js'
import type { LockCallOptions } from './options.js'

/** How many may hold, and how one of them gets to. */
export interface SemaphoreOptions extends LockCallOptions {
  /** Holders of the key at a time, 1 to 1,000,000. Callers of one key should give the same number; each is judged by its own. */
  readonly permits: number
}

/**
 * A semaphore across processes: at most `permits` callers hold a key at a time, first come, first served. A permit is a `Lock`, with its time to
 * live, signal and fence.
 *
 * @example
 * ```ts
 * await semaphore.withPermit('export', { permits: 3, ttl: '1m', wait: '10s' }, () => this.exporter.run())
 * ```
 */
export class RedisSemaphore {
  constructor(private readonly engine: LockEngine) {}

  /**
   * Waits until fewer than `permits` hold the key.
   * @throws LockTimeoutError, LockUnavailableError, InvalidKeyError, InvalidDurationError, ConfigurationError, the reason of `options.signal`
   */
  async acquire(key: string, options: SemaphoreOptions): Promise<Lock> {
    return this.engine.acquire('semaphore', key, permitsOf(options), options)
  }

  /** Null: as many as may hold the key do, or somebody waits for it. @throws as {@link acquire}, but LockTimeoutError */
  async tryAcquire(key: string, options: Omit<SemaphoreOptions, 'wait' | 'waitMs'>): Promise<Lock | null> {
    return this.engine.tryAcquire('semaphore', key, permitsOf(options), options)
  }

  /** Runs `work` with a permit, as `RedisLockService.withLock` does with a lock. */
  async withPermit<T>(key: string, options: SemaphoreOptions, work: (permit: Lock) => T | PromiseLike<T>): Promise<T> {
    return this.engine.withLock('semaphore', key, permitsOf(options), options, work)
  }

  /** Gives a permit back. Never rejects. */
  release(permit: Lock): Promise<ReleaseOutcome> {
    return releaseLock(permit)
  }
}

const MOST_PERMITS = 1_000_000

function permitsOf({ permits }: Pick<SemaphoreOptions, 'permits'>): number {
  if (Number.isSafeInteger(permits) && permits >= 1 && permits <= MOST_PERMITS) return permits
  throw new ConfigurationError('permits', `must be a whole number from 1 to ${MOST_PERMITS}`)
}
