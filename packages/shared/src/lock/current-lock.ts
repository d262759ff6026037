import { AsyncLocalStorage } from 'node:async_hooks'
import type { Lock } from './held-lock.js'

/**
 * The lock that the innermost `@Locked` method around here runs under: for its `fence`, `signal` and `assertHeld`. Undefined outside of one.
 * Whatever was started under the lock and outlives it still sees it, and `assertHeld` tells.
 *
 * @example
 * ```ts
 * @Locked({ key: (tenantId: string) => `lock:invoice-number:${tenantId}` })
 * async issue(tenantId: string): Promise<string> {
 *   return this.counters.next(tenantId, currentLock()!.fence)
 * }
 * ```
 */
export function currentLock(): Lock | undefined {
  return locks.getStore()
}

/** Runs `fn`, and all that it awaits and starts, with this as its {@link currentLock}. */
export function runUnderLock<T>(lock: Lock, fn: () => T): T {
  return locks.run(lock, fn)
}

/** One for all services of the process, and idle until it is first used: on Node 20 and 22 one in use costs each promise a step. */
const locks = new AsyncLocalStorage<Lock>()
