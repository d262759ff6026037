import { HttpException } from '@nestjs/common'
import { RpcException } from '@nestjs/microservices'
import { WsException } from '@nestjs/websockets'
import { describe, expect, it } from 'vitest'
import { installed, transportError } from './transport-error.js'

const refusal = Object.assign(new HttpException('Slow down.', 429), { code: 'TOO_MANY_REQUESTS', retryAfter: 2 })

describe('a refusal', () => {
  it.each([
    ['ws', WsException],
    ['rpc', RpcException],
  ])('is for %s an error of its package, which does not hide it', async (type, errorClass) => {
    const error = await transportError(type, refusal)
    expect(error).toBeInstanceOf(errorClass)
    expect((error as WsException).getError()).toEqual({
      ...{ status: 'error', code: 'TOO_MANY_REQUESTS', message: 'Slow down.', retryAfter: 2 },
    })
    expect(error.cause).toBe(refusal)
  })

  it('does not tell a time that it has not', async () => {
    const error = await transportError('ws', Object.assign(new Error('No.'), { code: 'NO' }))
    expect((error as WsException).getError()).toEqual({ status: 'error', code: 'NO', message: 'No.' })
  })

  it('is itself for any other transport', async () => {
    for (const type of ['http', 'graphql', 'telegram', 'constructor']) {
      expect(await transportError(type, refusal)).toBe(refusal)
    }
  })

  it('needs no package that is not there, and hides no other error of one', async () => {
    expect(await installed(import('no-such-package' as string))).toBeUndefined()
    await expect(installed(Promise.reject(new Error('broken package')))).rejects.toThrow('broken package')
    expect(await installed(Promise.resolve(1))).toBe(1)
  })
})
