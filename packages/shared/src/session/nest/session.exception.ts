import { STATUS_CODES } from 'node:http'
import { HttpException } from '@nestjs/common'
import { RETRY_AFTER_S } from '../../nest/http-reply.js'

/** What a client that is refused by `SessionGuard` is told, as `application/problem+json` (RFC 9457). */
export interface SessionProblem {
  /** `about:blank`: the status says what kind of problem it is. */
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: 'SESSION_REQUIRED' | 'SESSION_UNAVAILABLE'
}

/**
 * A request that `SessionGuard` does not let pass: 401, `SESSION_REQUIRED`, has no session, and 503, `SESSION_UNAVAILABLE`, has one of which nobody
 * can say whether it still is; `cause` is the `SessionUnavailableError`.
 */
export class SessionRefusedException extends HttpException {
  readonly problem: SessionProblem
  /** In how many seconds it is worth another try: of a 503. */
  readonly retryAfter: number | undefined
  /** What GraphQL tells its client of an error. */
  readonly extensions: { readonly code: string; readonly retryAfter?: number }

  constructor(
    readonly code: SessionProblem['code'],
    options: { cause?: unknown } = {},
  ) {
    const status = code === 'SESSION_REQUIRED' ? 401 : 503
    const detail =
      status === 401 ? 'Log in.' : 'Whether you are logged in can not be said at the moment. Try again later.'
    const problem = { type: 'about:blank', title: STATUS_CODES[status] as string, status, detail, code } as const
    super(problem, status, options)
    this.message = detail
    this.problem = problem
    this.retryAfter = status === 503 ? RETRY_AFTER_S : undefined
    this.extensions = this.retryAfter === undefined ? { code } : { code, retryAfter: this.retryAfter }
  }
}
