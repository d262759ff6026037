import { VextrusError } from '../kernel/errors.js'

/**
 * The store gave no good answer in time. `code` is `CACHE_UNAVAILABLE`; `cause` is what the connection said.
 *
 * Thrown by `delete`, `invalidateByTag` and `clear` – an invalidation that may not have happened is never swallowed: call again, it may be
 * repeated safely – and by `set` with `onUnavailable: 'throw'`. Reads never throw it: they become misses.
 */
export class CacheUnavailableError extends VextrusError {
  constructor(message: string, options?: { cause?: unknown; key?: string }) {
    super(message, { code: 'CACHE_UNAVAILABLE', ...options })
  }
}

/**
 * The `load` of `getOrSetMany` answered something that can't be matched to its items. `code` is `LOADER_RESULT`. Return a `Map` from item
 * to value, or an array as long as the items it was given and in their order.
 */
export class LoaderResultError extends VextrusError {
  constructor(message: string) {
    super(message, { code: 'LOADER_RESULT' })
  }
}
