import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../../kernel/errors.js'
import {
  clearSessionCookie,
  cookieOf,
  sessionCookie,
  type SessionCookieOptions,
  setSessionCookie,
} from './session-cookie.js'

const session = { id: 'abc' }

describe('the cookie of a session', () => {
  it('is safe by default', () => {
    expect(sessionCookie(session)).toBe('__Host-sid=abc; Path=/; HttpOnly; Secure; SameSite=Lax')
  })

  it('is as the options say, and HttpOnly in any case', () => {
    const options = { name: 'sid', secure: false, sameSite: 'strict', path: '/shop', domain: 'a.example' } as const
    expect(sessionCookie(session, { ...options, maxAge: '1h' })).toBe(
      'sid=abc; Path=/shop; Domain=a.example; HttpOnly; SameSite=Strict; Max-Age=3600',
    )
    expect(sessionCookie(session, { sameSite: 'none', maxAge: 60 })).toBe(
      '__Host-sid=abc; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=60',
    )
  })

  it.each([
    ['name', { name: 'a b' }],
    ['name', { name: '' }],
    ['name', { name: 'a\r\nSet-Cookie: b' }],
    ['name', { secure: false }],
    ['name', { path: '/shop' }],
    ['name', { domain: 'a.example' }],
    ['name', { name: '__Secure-sid', secure: false }],
    ['secure', { secure: 'no' as never }],
    ['sameSite', { sameSite: 'Lax' as never }],
    ['sameSite', { sameSite: 'toString' as never }],
    ['sameSite', { name: 'sid', secure: false, sameSite: 'none' }],
    ['path', { name: 'sid', path: 'shop' }],
    ['path', { name: 'sid', path: '/; Domain=b.example' }],
    ['domain', { name: 'sid', domain: 'a; b' }],
  ] satisfies [string, SessionCookieOptions][])('refuses what a browser would not keep, by %s', (option, options) => {
    const make = (): unknown => sessionCookie(session, options)
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(`session.cookie.${option}`)
    expect(() => clearSessionCookie({}, options)).toThrow(ConfigurationError)
  })

  it('refuses a time that is none', () => {
    expect(() => sessionCookie(session, { maxAge: 0 })).toThrow(InvalidDurationError)
  })

  it('is set once in a response, beside other cookies, and cleared by what it was set with', () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    response.setHeader('Set-Cookie', 'other=1')
    clearSessionCookie(response)
    expect(response.getHeader('Set-Cookie')).toEqual([
      'other=1',
      '__Host-sid=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ])
    setSessionCookie(response, session)
    setSessionCookie(response, { id: 'x' }, { name: 'sid', secure: false })
    expect(response.getHeader('Set-Cookie')).toEqual([
      'other=1',
      '__Host-sid=abc; Path=/; HttpOnly; Secure; SameSite=Lax',
      'sid=x; Path=/; HttpOnly; SameSite=Lax',
    ])
  })

  it('is found among others', () => {
    expect(cookieOf('a=1; __Host-sid=abc;b=2', '__Host-sid')).toBe('abc')
    expect(cookieOf('sid=abc', 'sid')).toBe('abc')
    expect(cookieOf('xsid=1; sid = abc = ', 'sid')).toBe('abc =')
    expect(cookieOf('xsid=1; sid', 'sid')).toBeUndefined()
    expect(cookieOf(undefined, 'sid')).toBeUndefined()
  })
})
