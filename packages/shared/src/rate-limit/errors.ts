import { VextrusError } from '../kernel/errors.js'

/**
 * The store of the limits gave no good answer in time. `code` is `RATE_LIMIT_UNAVAILABLE`; `cause` is what the connection said. `consume` and the
 * guard never throw it: each rule's `onUnavailable` decides. `refund`, `reset` and `peek` do, for they have nothing to fall back to.
 */
export class RateLimitUnavailableError extends VextrusError {
  /** The store was not even asked, so nothing came of it. False: it may have done what it was asked for, and only its answer is missing. */
  readonly unsent: boolean

  constructor(message: string, { unsent = false, cause }: { cause?: unknown; unsent?: boolean } = {}) {
    super(message, { code: 'RATE_LIMIT_UNAVAILABLE', cause })
    this.unsent = unsent
  }
}

/** A rule can't tell whom it limits: `ids` lacks what its `by` names, and an `ip` to fall back to. `code` is `RATE_LIMIT_IDENTITY`. */
export class RateLimitIdentityError extends VextrusError {
  constructor(rule: string, by: string) {
    super(`rule '${rule}' is by '${by}': give ids.${by === 'ip' ? 'ip' : `${by}, or ids.ip to fall back to`}`, {
      code: 'RATE_LIMIT_IDENTITY',
    })
  }
}
