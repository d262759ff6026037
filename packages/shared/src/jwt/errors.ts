import { VextrusError } from '../kernel/errors.js'

/**
 * The store of the revocations gave no good answer in time, so nobody knows whether a token is revoked, or whether it was. `code` is
 * `JWT_UNAVAILABLE`; `cause` is what the connection said. A token is not accepted then, unless `jwt.onUnavailable` says so; a revocation has to be
 * said again.
 */
export class JwtUnavailableError extends VextrusError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { code: 'JWT_UNAVAILABLE', ...options })
  }
}

/** What was given is no token or no claims that can be revoked by. `code` is `JWT_CLAIMS`. The message never holds the token. */
export class JwtClaimsError extends VextrusError {
  constructor(message: string) {
    super(message, { code: 'JWT_CLAIMS' })
  }
}
