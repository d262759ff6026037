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
