/** What `@vextrus/shared/lock` exports. */
export { RedisLockService } from './lock.js'
export { RedisSemaphore } from './semaphore.js'
export type { SemaphoreOptions } from './semaphore.js'
export { RedisReadWriteLock } from './read-write-lock.js'
export { LockEngine } from './lock-engine.js'
export type { LockSurroundings } from './lock-engine.js'
export type { Lock, ReleaseOutcome } from './held-lock.js'
export { Locked } from './nest/locked.decorator.js'
export type { LockedOptions } from './nest/locked.decorator.js'
export { currentLock } from './current-lock.js'
export type { LockCallOptions, LockOptions, LockRequestOptions, LockTimes } from './options.js'
export { LockLostError, LockTimeoutError, LockUnavailableError } from './errors.js'
export type { LossReason } from './errors.js'
export { lockAcquired, lockLost, lockReleased, lockTimedOut } from './events.js'
export type {
  AcquireReply,
  AcquireRequest,
  Holder,
  LockKind,
  LockMode,
  LockName,
  LockStore,
  ReleaseRequest,
  WakeListener,
} from './lock-store.js'
