import { HeldLock, type Lock, type ReleaseOutcome } from './held-lock.js'
import type { LockEngine } from './lock-engine.js'
import type { LockCallOptions, LockRequestOptions } from './options.js'

/**
 * Mutual exclusion across processes: of all callers that ask for a key, one at a time holds its lock.
 *
 * A lock has a time to live, so a holder that dies keeps nobody out for longer. Therefore a holder that is stopped for longer than that is not
 * the only one when it goes on: it is told at once (`assertHeld`, `signal`), and what it writes nevertheless is refused by whoever checks the
 * `fence`, which grows with every grant.
 *
 * @example
 * ```ts
 * const number = await locks.withLock(`lock:invoice-number:${tenantId}`, { ttlMs: 10_000, waitMs: 5_000 }, async (lock) => {
 *   return this.invoices.numberNext(tenantId, lock.fence)
 * })
 * ```
 */
export class RedisLockService {
  constructor(private readonly engine: LockEngine) {}

  /**
   * Waits until nobody else holds the lock, first come, first served.
   * @param ttlMs until it is given back by itself, ms @param maxWaitMs for how long to wait, ms; 0 asks once
   * @throws LockTimeoutError it was not free in time; LockUnavailableError Redis did not answer; InvalidKeyError, InvalidDurationError;
   * the reason of `options.signal`
   */
  acquire(key: string, ttlMs?: number, maxWaitMs?: number, options?: LockRequestOptions): Promise<Lock> {
    return this.engine.acquire('mutex', key, 'exclusive', { ...options, ttlMs, waitMs: maxWaitMs })
  }

  /** Null: somebody holds the lock, or waits for it. @throws as {@link acquire}, but LockTimeoutError */
  tryAcquire(key: string, ttlMs?: number): Promise<Lock | null> {
    return this.engine.tryAcquire('mutex', key, 'exclusive', { ttlMs })
  }

  /** Gives a lock back. Never rejects; `'not-held'` is also the answer for what is no lock of this toolkit. */
  release(lock: Lock): Promise<ReleaseOutcome> {
    return releaseLock(lock)
  }

  /**
   * Runs `work` under the lock, extended at a third of its time for as long as `work` takes. When the lock is lost meanwhile, its signal fires at
   * once and the call rejects with `LockLostError` as soon as `work` has settled.
   * @throws as {@link acquire}; LockLostError; what `work` throws
   */
  withLock<T>(key: string, options: LockCallOptions, work: (lock: Lock) => T | PromiseLike<T>): Promise<T> {
    return this.engine.withLock('mutex', key, 'exclusive', options, work)
  }
}

/** Gives back what is a lock; anything else is held by nobody. */
export async function releaseLock(lock: unknown): Promise<ReleaseOutcome> {
  return lock instanceof HeldLock ? lock.release() : 'not-held'
}
