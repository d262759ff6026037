import { VextrusError } from '../kernel/errors.js'

/**
 * A lock was not to be had within the time that its caller would wait. `code` is `LOCK_TIMEOUT`. Others held it, or stood in line before: wait
 * longer, hold it for a shorter time, or lock something smaller.
 */
export class LockTimeoutError extends VextrusError {
  /** @param waitedMs for how long its caller would wait, ms; 0: it asked once */
  constructor(
    key: string,
    readonly waitedMs: number,
  ) {
    super(
      waitedMs === 0
        ? `the lock '${key}' is held; give it time with maxWaitMs, or use tryAcquire where that is an answer`
        : `the lock '${key}' was not free within ${waitedMs} ms; raise maxWaitMs (wait), hold it for a shorter time, or lock something smaller`,
      { code: 'LOCK_TIMEOUT', key },
    )
  }
}

/** Why a lock was lost: its time was over, or the store no longer had it. */
export type LossReason = 'expired' | 'gone' | 'released'

/**
 * The lock is not held any more, and somebody else may hold it. `code` is `LOCK_LOST`. It is the reason of `lock.signal`, and thrown by
 * `assertHeld`, `extend` and `withLock`. What was written under the lock must be protected by its `fence`; run the work again with a new lock.
 */
export class LockLostError extends VextrusError {
  constructor(
    key: string,
    readonly reason: LossReason,
    options: { cause?: unknown } = {},
  ) {
    super(`the lock '${key}' ${LOSSES[reason]}`, { code: 'LOCK_LOST', key, ...options })
  }
}

const LOSSES: Record<LossReason, string> = {
  expired:
    'was lost: its time was over before it was extended; extend it sooner, give it a longer ttlMs, or use withLock, which extends',
  gone: 'was lost: Redis no longer has it; it was restarted empty, failed over, or was answering again after the time was over',
  released: 'was released already; do the work before releasing it',
}

/**
 * The store of the locks gave no good answer in time, so nobody knows who holds the lock. `code` is `LOCK_UNAVAILABLE`; `cause` is what the
 * connection said. Locks fail closed: without an answer nothing is locked.
 */
export class LockUnavailableError extends VextrusError {
  /** The store was not even asked, so nothing came of it. False: it may have done what it was asked for, and only its answer is missing. */
  readonly unsent: boolean

  constructor(
    message: string,
    { unsent = false, ...options }: { cause?: unknown; key?: string; unsent?: boolean } = {},
  ) {
    super(message, { code: 'LOCK_UNAVAILABLE', ...options })
    this.unsent = unsent
  }
}
