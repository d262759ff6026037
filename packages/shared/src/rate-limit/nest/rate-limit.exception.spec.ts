import { describe, expect, it } from 'vitest'
import { RateLimitExceededException, RateLimitUndecidedException } from './rate-limit.exception.js'

describe('a refusal of a limit', () => {
  it('is an HttpException whose message is its detail, and waits a second at least', () => {
    const exceeded = new RateLimitExceededException(['rule'], 1_500, 'Slow down.')
    expect([exceeded.getStatus(), exceeded.message, exceeded.name, exceeded.retryAfter]).toEqual([
      ...[429, 'Slow down.', 'RateLimitExceededException', 2],
    ])
    const undecided = new RateLimitUndecidedException(['rule'], 0)
    expect([undecided.getStatus(), undecided.retryAfter]).toEqual([503, 1])
    expect(undecided.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  })
})
