import type { ExecutionContext } from '@nestjs/common'
import { ConfigurationError } from '../../kernel/errors.js'
import { cookieOf, resolveSessionCookie, type SessionCookieOptions } from './session-cookie.js'

/** What {@link SessionGuardSettings} takes. */
export interface SessionGuardOptions {
  /**
   * Where a request has its session's id: in the cookie, as `Authorization: Bearer <id>`, or alone in a header of that name. One place and no other:
   * whoever takes cookies beside a header has to guard against forged requests of other sites, also for those that come with the header.
   * @default 'cookie'
   */
  readonly from?: 'cookie' | 'bearer' | { readonly header: string } | undefined
  /** The cookie, as `setSessionCookie` was given it. */
  readonly cookie?: SessionCookieOptions | undefined
  /** Routes that are for everybody: who has a session there has it, and who has none is let pass. @default none */
  readonly optional?: ((context: ExecutionContext) => boolean) | undefined
}

/** How `SessionGuard` finds a session. The token under which it is looked for; without one it does as the defaults say. */
export class SessionGuardSettings {
  readonly optional: (context: ExecutionContext) => boolean
  /** What else a refused client is told: how to say who it is. */
  readonly challenge: string | undefined
  /** The id that a request brings; it may be anything. */
  readonly idOf: (headers: Readonly<Record<string, unknown>>) => string | undefined

  /** @throws ConfigurationError naming the option */
  constructor({ from = 'cookie', cookie, optional = () => false }: SessionGuardOptions = {}) {
    const { name } = resolveSessionCookie(cookie)
    if (typeof optional !== 'function') throw new ConfigurationError('session.optional', 'must be a function')
    this.optional = optional
    this.challenge = from === 'bearer' ? 'Bearer' : undefined
    if (from === 'cookie') this.idOf = ({ cookie: field }) => cookieOf(field, name)
    else if (from === 'bearer') this.idOf = ({ authorization }) => BEARER.exec(String(authorization))?.[1]
    else {
      const header = headerName(from)
      this.idOf = (headers) => (typeof headers[header] === 'string' ? headers[header] : undefined)
    }
  }
}

const BEARER = /^Bearer +([\w-]+) *$/i

function headerName(from: { readonly header: string }): string {
  if (typeof from?.header === 'string' && /^[\w-]+$/.test(from.header)) return from.header.toLowerCase()
  throw new ConfigurationError('session.from', "must be 'cookie', 'bearer' or { header: '<name>' }")
}
