import type { Lock, ReleaseOutcome } from './held-lock.js'
import { releaseLock } from './lock.js'
import type { LockEngine } from './lock-engine.js'
import type { LockCallOptions } from './options.js'

/**
 * A read-write lock across processes: many readers hold a key together, or one writer alone. Everybody stands in one line, first come, first
 * served, so readers don't keep a writer out for ever: those that come after it wait behind it.
 *
 * @example
 * ```ts
 * await locks.withWrite(`lock:price-list:${tenantId}`, { ttl: '10s' }, (lock) => this.prices.replace(list, lock.fence))
 * ```
 */
export class RedisReadWriteLock {
  constructor(private readonly engine: LockEngine) {}

  /**
   * Waits until no writer holds the key or waits for it in front.
   * @throws LockTimeoutError, LockUnavailableError, InvalidKeyError, InvalidDurationError, ConfigurationError, the reason of `options.signal`
   */
  read(key: string, options?: LockCallOptions): Promise<Lock> {
    return this.engine.acquire('read-write', key, READERS, options)
  }

  /** Waits until nobody else holds the key. @throws as {@link read} */
  write(key: string, options?: LockCallOptions): Promise<Lock> {
    return this.engine.acquire('read-write', key, 'exclusive', options)
  }

  /** Null: a writer holds the key, or somebody waits for it. @throws as {@link read}, but LockTimeoutError */
  tryRead(key: string, options?: Omit<LockCallOptions, 'wait' | 'waitMs'>): Promise<Lock | null> {
    return this.engine.tryAcquire('read-write', key, READERS, options)
  }

  /** Null: somebody holds the key, or waits for it. @throws as {@link read}, but LockTimeoutError */
  tryWrite(key: string, options?: Omit<LockCallOptions, 'wait' | 'waitMs'>): Promise<Lock | null> {
    return this.engine.tryAcquire('read-write', key, 'exclusive', options)
  }

  /** Runs `work` as a reader, as `RedisLockService.withLock` does. */
  withRead<T>(key: string, options: LockCallOptions, work: (lock: Lock) => T | PromiseLike<T>): Promise<T> {
    return this.engine.withLock('read-write', key, READERS, options, work)
  }

  /** Runs `work` as the writer, as `RedisLockService.withLock` does. */
  withWrite<T>(key: string, options: LockCallOptions, work: (lock: Lock) => T | PromiseLike<T>): Promise<T> {
    return this.engine.withLock('read-write', key, 'exclusive', options, work)
  }

  /** Gives a lock back. Never rejects. */
  release(lock: Lock): Promise<ReleaseOutcome> {
    return releaseLock(lock)
  }
}

/** As many as there may be. */
const READERS = 2 ** 31
