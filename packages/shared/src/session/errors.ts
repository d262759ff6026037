import { VextrusError } from '../kernel/errors.js'

/**
 * The store of the sessions gave no good answer in time. `code` is `SESSION_UNAVAILABLE`; `cause` is what the connection said. What was to be written
 * may have been.
 */
export class SessionUnavailableError extends VextrusError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { code: 'SESSION_UNAVAILABLE', ...options })
  }
}

/** There is no such session: it has ended, or never was. `code` is `SESSION_NOT_FOUND`. Log in again. The message does not hold the id. */
export class SessionNotFoundError extends VextrusError {
  constructor() {
    super('there is no such session: it has ended, or never was; log in again', { code: 'SESSION_NOT_FOUND' })
  }
}

/** Others changed the session again and again while this change was made. `code` is `SESSION_CONFLICT`. Keep less that changes in it. */
export class SessionConflictError extends VextrusError {
  constructor(attempts: number) {
    super(
      `the session was changed by others ${attempts} times while this change was made; keep less that changes in it`,
      {
        code: 'SESSION_CONFLICT',
      },
    )
  }
}
