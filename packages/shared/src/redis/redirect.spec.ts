import { describe, expect, it } from 'vitest'
import { RedisReplyError } from './errors.js'
import { readRedirect } from './redirect.js'

describe('a redirection', () => {
  it.each([
    ['MOVED 3999 127.0.0.1:6381', { kind: 'MOVED', slot: 3_999, to: { host: '127.0.0.1', port: 6_381 } }],
    ['ASK 0 redis-2.local:6379', { kind: 'ASK', slot: 0, to: { host: 'redis-2.local', port: 6_379 } }],
    ['MOVED 16383 2001:db8::1:6381', { kind: 'MOVED', slot: 16_383, to: { host: '2001:db8::1', port: 6_381 } }],
    ['MOVED 3999 :6381', { kind: 'MOVED', slot: 3_999, to: { host: 'asked', port: 6_381 } }],
    ['MOVED 3999 ?:6381', { kind: 'MOVED', slot: 3_999, to: { host: 'asked', port: 6_381 } }],
  ])('is read from %s', (message, redirect) => {
    expect(readRedirect(new RedisReplyError(message), 'asked')).toEqual(redirect)
  })

  it.each([['MOVED'], ['MOVED 16384 a:1'], ['TRYAGAIN Multiple keys'], ['ERR MOVED 1 a:1']])(
    'is not: %s',
    (message) => {
      expect(readRedirect(new RedisReplyError(message), 'asked')).toBeUndefined()
    },
  )

  it('is not a value that looks like one', () => {
    expect(readRedirect('MOVED 3999 127.0.0.1:6381', 'asked')).toBeUndefined()
    expect(readRedirect(undefined, 'asked')).toBeUndefined()
  })
})
