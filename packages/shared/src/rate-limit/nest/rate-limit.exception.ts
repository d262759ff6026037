import { HttpException } from '@nestjs/common'

/**
 * What a refused client is told, as `application/problem+json` (RFC 9457), with the types of draft-ietf-httpapi-ratelimit-headers-10, section 5.
 */
export interface RateLimitProblem {
  readonly type: `https://iana.org/assignments/http-problem-types#${'quota-exceeded' | 'temporary-reduced-capacity'}`
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Names of the rules that refuse, as they stand in `RateLimit`. */
  readonly 'violated-policies': readonly string[]
}

/** What both refusals of {@link RateLimitGuard} have in common. */
export abstract class RateLimitRefusedException extends HttpException {
  /** In how many seconds it is worth another try; at least 1. */
  readonly retryAfter: number
  /** What GraphQL tells its client of an error. */
  readonly extensions: { readonly code: string; readonly retryAfter: number }

  /** @param code of the refusal where there is no HTTP status */
  constructor(
    readonly problem: RateLimitProblem,
    readonly code: string,
    retryAfterMs: number,
  ) {
    super({ ...problem }, problem.status)
    this.message = problem.detail
    this.retryAfter = Math.max(1, Math.ceil(retryAfterMs / 1_000))
    this.extensions = { code, retryAfter: this.retryAfter }
  }
}

/** A client is over a limit: 429, `TOO_MANY_REQUESTS`. */
export class RateLimitExceededException extends RateLimitRefusedException {
  /** @param violated names of rules */
  constructor(violated: readonly string[], retryAfterMs: number, detail: string) {
    super(
      {
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        title: 'Request cannot be satisfied as assigned quota has been exceeded',
        status: 429,
        detail,
        'violated-policies': violated,
      },
      'TOO_MANY_REQUESTS',
      retryAfterMs,
    )
  }
}

/**
 * Nobody can say whether a client is over a limit, and the limit's `onUnavailable` is `'deny'`: 503, `SERVICE_UNAVAILABLE`. A 429 would blame a
 * client that may have done nothing.
 */
export class RateLimitUndecidedException extends RateLimitRefusedException {
  /** @param violated names of rules */
  constructor(violated: readonly string[], retryAfterMs: number) {
    super(
      {
        type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
        title: 'Request cannot be satisfied due to temporary server capacity constraints',
        status: 503,
        detail: 'Something that this request needs is not available at the moment. Try again later.',
        'violated-policies': violated,
      },
      'SERVICE_UNAVAILABLE',
      retryAfterMs,
    )
  }
}
