import { defineEvent } from '../kernel/events.js'
import type { LossReason } from './errors.js'
import type { LockKind } from './lock-store.js'

interface OfLock {
  readonly kind: LockKind
  /** The caller's key. */
  readonly key: string
}

/** A lock was got, after `waitMs`. */
export const lockAcquired = defineEvent<OfLock & { readonly waitMs: number; readonly fence: bigint }>('lock.acquired')

/** A lock was given back, or had been lost before, after `heldMs`. */
export const lockReleased = defineEvent<
  OfLock & { readonly heldMs: number; readonly outcome: 'released' | 'not-held' | 'unknown' }
>('lock.released')

/** A lock was lost while its holder held it, after `heldMs`. */
export const lockLost = defineEvent<OfLock & { readonly heldMs: number; readonly reason: LossReason }>('lock.lost')

/** A caller went away without the lock, after `waitMs`: its time was over, or Redis was away. */
export const lockTimedOut = defineEvent<OfLock & { readonly waitMs: number; readonly unavailable: boolean }>(
  'lock.timed-out',
)
