import { RpcException } from '@nestjs/microservices'
import { WsException } from '@nestjs/websockets'
import { describe, expect, it } from 'vitest'
import { RateLimitExceededException, RateLimitUndecidedException } from './rate-limit.exception.js'
import { installed, transportError } from './transport-error.js'

const exceeded = new RateLimitExceededException(['rule'], 1_500, 'Slow down.')

describe('a refusal', () => {
  it.each([
    ['ws', WsException],
    ['rpc', RpcException],
  ])('is for %s an error of its package, which does not hide it', async (type, errorClass) => {
    const error = await transportError(type, exceeded)
    expect(error).toBeInstanceOf(errorClass)
    expect((error as WsException).getError()).toEqual({
      ...{ status: 'error', code: 'TOO_MANY_REQUESTS', message: 'Slow down.', retryAfter: 2 },
    })
    expect(error.cause).toBe(exceeded)
  })

  it('is itself for any other transport', async () => {
    for (const type of ['http', 'graphql', 'telegram', 'constructor']) {
      expect(await transportError(type, exceeded)).toBe(exceeded)
    }
  })

  it('needs no package that is not there, and hides no other error of one', async () => {
    expect(await installed(import('no-such-package' as string))).toBeUndefined()
    await expect(installed(Promise.reject(new Error('broken package')))).rejects.toThrow('broken package')
    expect(await installed(Promise.resolve(1))).toBe(1)
  })

  it('is an HttpException whose message is its detail, and waits a second at least', () => {
    expect([exceeded.getStatus(), exceeded.message, exceeded.name]).toEqual([
      ...[429, 'Slow down.', 'RateLimitExceededException'],
    ])
    const undecided = new RateLimitUndecidedException(['rule'], 0)
    expect([undecided.getStatus(), undecided.retryAfter]).toEqual([503, 1])
    expect(undecided.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  })
})
