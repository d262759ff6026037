import { STATUS_CODES } from 'node:http'
import { HttpException } from '@nestjs/common'
import { RETRY_AFTER_S } from '../../nest/http-reply.js'

/** What a client that is refused by `JwtBlacklistGuard` is told, as `application/problem+json` (RFC 9457). */
export interface JwtProblem {
  /** `about:blank`: the status says what kind of problem it is. */
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: JwtRefusal
}

/** Why. */
export type JwtRefusal = 'TOKEN_REQUIRED' | 'TOKEN_REFUSED' | 'JWT_UNAVAILABLE'

/**
 * A request that `JwtBlacklistGuard` does not let pass: 401, `TOKEN_REQUIRED`, without claims of a token; 401, `TOKEN_REFUSED`, with a token that is
 * revoked or that nothing could revoke; 503, `JWT_UNAVAILABLE`, while nobody knows, with the `JwtUnavailableError` as its `cause`.
 */
export class JwtRefusedException extends HttpException {
  readonly problem: JwtProblem
  /** In how many seconds it is worth another try: of a 503. */
  readonly retryAfter: number | undefined
  /** What GraphQL tells its client of an error. */
  readonly extensions: { readonly code: JwtRefusal; readonly retryAfter?: number }

  constructor(
    readonly code: JwtRefusal,
    options: { cause?: unknown } = {},
  ) {
    const { status, detail } = REFUSALS[code]
    const problem = { type: 'about:blank', title: STATUS_CODES[status] as string, status, detail, code } as const
    super(problem, status, options)
    this.message = detail
    this.problem = problem
    this.retryAfter = status === 503 ? RETRY_AFTER_S : undefined
    this.extensions = this.retryAfter === undefined ? { code } : { code, retryAfter: this.retryAfter }
  }

  /** What goes with it over HTTP: RFC 6750, section 3, and `Retry-After`. */
  get headers(): Readonly<Record<string, string>> {
    switch (this.code) {
      case 'JWT_UNAVAILABLE':
        return { 'Retry-After': String(this.retryAfter) }
      case 'TOKEN_REFUSED':
        return { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${this.message}"` }
      case 'TOKEN_REQUIRED':
        return { 'WWW-Authenticate': 'Bearer' }
    }
  }
}

const REFUSALS = {
  TOKEN_REQUIRED: { status: 401, detail: 'Log in.' },
  TOKEN_REFUSED: { status: 401, detail: 'This token is not accepted any more. Log in again.' },
  JWT_UNAVAILABLE: {
    status: 503,
    detail: 'Whether this token is still accepted can not be said at the moment. Try again later.',
  },
} as const satisfies Record<JwtRefusal, { status: number; detail: string }>
