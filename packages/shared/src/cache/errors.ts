import { VextrusError } from '../kernel/errors.js'

/**
 * The store gave no good answer in time. `code` is `CACHE_UNAVAILABLE`; `cause` is what the connection said.
 *
 * Thrown by `delete`, `deleteByPattern`, `invalidateByTag`, `clear` and `invalidateAround` – an invalidation that may not have happened is
 * never swallowed – and by `set` with `onUnavailable: 'throw'`. Reads never throw it: they become misses.
 */
export class CacheUnavailableError extends VextrusError {
  /**
   * True: this process repeats the invalidation by itself as soon as the store answers, and before it reads from the store again (R24).
   * Until then other processes may read what should be gone, and the promise ends with this process. To call again is always safe.
   */
  readonly pending: boolean

  constructor(
    message: string,
    { pending = false, ...options }: { cause?: unknown; key?: string; pending?: boolean } = {},
  ) {
    super(message, { code: 'CACHE_UNAVAILABLE', ...options })
    this.pending = pending
  }
}

/**
 * A caller of `getOrSet` has waited `loadTimeout.hard` for a value: for another process that loads it, for its turn, or for its loader, whose
 * signal is aborted then. `code` is `LOAD_TIMEOUT`. What the loader answers later is not stored. With a `grace`, callers that have found a
 * stale value are answered that one instead.
 */
export class LoadTimeoutError extends VextrusError {
  /** @param key the caller's key @param hardMs the `loadTimeout.hard` that is over, ms */
  constructor(
    key: string,
    readonly hardMs: number,
  ) {
    super(
      `'${key}' was not loaded within loadTimeout.hard (${hardMs} ms); make its loader quicker, end it by ctx.signal, raise loadTimeout.hard, or give a grace, so that a stale value can be answered`,
      { code: 'LOAD_TIMEOUT', key },
    )
  }
}

/**
 * The cache was closed while a caller of `getOrSet` waited for a value. `code` is `CACHE_CLOSED`. Loads get a second to finish at shutdown;
 * then the signals of their loaders are aborted with this error, and nothing of them is stored. Nothing is to be mended: the process ends.
 */
export class CacheClosedError extends VextrusError {
  constructor(key?: string) {
    super(
      'the cache was closed before the value was loaded; where this happens at shutdown, stop serving requests before closing the application',
      key === undefined ? { code: 'CACHE_CLOSED' } : { code: 'CACHE_CLOSED', key },
    )
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

/**
 * A tenant is missing, unreadable, or not the one whose turn it is. `code` is `TENANT_KEY`; `key` is the caller's key, tag or glob where one
 * is concerned. The message names the call that mends it: `forTenant`, `runAsTenant` or `runGlobal`.
 */
export class TenantKeyError extends VextrusError {
  constructor(message: string, options?: { key?: string | undefined }) {
    super(message, options?.key === undefined ? { code: 'TENANT_KEY' } : { code: 'TENANT_KEY', key: options.key })
  }
}

/** A value about to be stored has a field that must not be: a password, a token, a card number. `code` is `SENSITIVE_DATA`. */
export class SensitiveDataError extends VextrusError {
  /** @param path where in the value, such as `$.users[3].password`; never what stands there. @param key the caller's key. */
  constructor(
    readonly path: string,
    key?: string,
  ) {
    super(
      `${path} looks sensitive, so the value was not cached; leave the field out, or name it in sensitive.allow when it is harmless`,
      key === undefined ? { code: 'SENSITIVE_DATA' } : { code: 'SENSITIVE_DATA', key },
    )
  }
}
