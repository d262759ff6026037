import { describe, expect, it } from 'vitest'
import { RedisReplyError, RedisUnavailableError } from './errors.js'

describe('an error of the connection', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', '`password`'],
    ['NOAUTH Authentication required.', '`password`'],
    ['ERR AUTH <password> called without any password configured for the default user.', 'leave out `password`'],
    ["NOPERM this user has no permissions to run the 'info' command", '`username`'],
    ['ERR DB index is out of range', '`db`'],
    ['ERR invalid DB index', '`db`'],
    ['connect ECONNREFUSED 127.0.0.1:6379', '`host` and `port`'],
    ['getaddrinfo ENOTFOUND redis.example', '`host` and `port`'],
    ['unable to verify the first certificate', '`tls`'],
    ['Connection closed during the handshake', '`tls`'],
  ])('names the option for %s', (message, option) => {
    const cause = /^[A-Z]+ /.test(message) ? new RedisReplyError(message) : new Error(message)
    const error = new RedisUnavailableError('h:1', 'not-connected', { cause })
    expect(error.message).toContain(option)
    expect(error.message).toContain('h:1')
    expect(error.message).toContain(message)
    expect(error.cause).toBe(cause)
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'not-connected', name: 'RedisUnavailableError' })
  })

  it('names `tls` for the codes of OpenSSL', () => {
    const cause = Object.assign(new Error('wrong version number'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' })
    expect(new RedisUnavailableError('h:1', 'not-connected', { cause }).message).toContain('`tls`')
  })

  it('names `commandTimeout` where a deadline passed', () => {
    expect(new RedisUnavailableError('h:1', 'deadline', { timeoutMs: 500 }).message).toMatch(/500 ms.*`commandTimeout`/)
    expect(new RedisUnavailableError('h:1', 'circuit-open', { timeoutMs: 500 }).message).toContain('`commandTimeout`')
  })
})

describe('an error reply', () => {
  it('has the first word of the reply, and its text', () => {
    const error = new RedisReplyError('WRONGTYPE Operation against a key holding the wrong kind of value')
    expect(error).toMatchObject({ reply: 'WRONGTYPE', code: 'REDIS_REPLY', name: 'RedisReplyError' })
    expect(error.message).toContain('wrong kind of value')
    expect(new RedisReplyError('BUSY').reply).toBe('BUSY')
  })

  it('does not repeat the arguments of a command', () => {
    const text = "ERR unknown command 'SETT', with args beginning with: 'key' 'a secret\nvalue' "
    expect(new RedisReplyError(text).message).toBe("ERR unknown command 'SETT'")
  })
})
