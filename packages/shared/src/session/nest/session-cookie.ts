import { type Ttl, ttlToMs } from '../../kernel/duration.js'
import { ConfigurationError } from '../../kernel/errors.js'

/** The cookie that a browser keeps a session's id in. It is `HttpOnly` in any case: no script needs the id. */
export interface SessionCookieOptions {
  /**
   * A browser takes a cookie whose name begins with `__Host-` from this host alone, over TLS: no neighbour under the same domain can plant one.
   * @default '__Host-sid'
   */
  readonly name?: string | undefined
  /** Sent over TLS alone. False only on a laptop, with a `name` such as `'sid'`. @default true */
  readonly secure?: boolean | undefined
  /** Whether other sites' links (`'lax'`), nothing of other sites (`'strict'`) or all (`'none'`) bring it along. @default 'lax' */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
  /** @default '/' */
  readonly path?: string | undefined
  /** Hosts under this domain get it too. Not with `__Host-`. @default this host alone */
  readonly domain?: string | undefined
  /** For how long the browser keeps it. A number is seconds. The server ends sessions by `session.idle` and `session.absolute` whatever it says. @default until the browser is closed */
  readonly maxAge?: Ttl | undefined
}

/** {@link SessionCookieOptions}, read and checked. */
export interface ResolvedSessionCookie {
  readonly name: string
  /** What stands behind the value. */
  readonly attributes: string
  /** The same, without `Max-Age`. */
  readonly scope: string
}

/**
 * The `Set-Cookie` field for a session.
 * @throws ConfigurationError, InvalidDurationError naming the option
 */
export function sessionCookie({ id }: { readonly id: string }, options: SessionCookieOptions = {}): string {
  const { name, attributes } = resolveSessionCookie(options)
  return `${name}=${id}; ${attributes}`
}

/**
 * Gives the browser a session's id, with the response of Express, Fastify or Node. A cookie of the same name that this response had is replaced.
 *
 * @example
 * ```ts
 * @Post('login')
 * async login(@Body() who: Credentials, @Res({ passthrough: true }) response: object): Promise<void> {
 *   const user = await this.users.verify(who)
 *   setSessionCookie(response, await this.sessions.create(user.id, {}, { tenantId: user.tenantId }))
 * }
 * ```
 * @throws ConfigurationError, InvalidDurationError naming the option
 */
export function setSessionCookie(
  response: object,
  session: { readonly id: string },
  options: SessionCookieOptions = {},
): void {
  write(response, resolveSessionCookie(options).name, sessionCookie(session, options))
}

/**
 * Takes the cookie from the browser: after `destroy`, which is what ends the session.
 * @param options those that it was set with: a browser knows a cookie by its name, path and domain @throws as {@link setSessionCookie}
 */
export function clearSessionCookie(response: object, options: SessionCookieOptions = {}): void {
  const { name, scope } = resolveSessionCookie(options)
  write(response, name, `${name}=; ${scope}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT`)
}

/** What a `Cookie` field has under a name; undefined: nothing. */
export function cookieOf(field: unknown, name: string): string | undefined {
  if (typeof field !== 'string') return undefined
  for (const pair of field.split(';')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}

/** @throws ConfigurationError, InvalidDurationError naming the option */
export function resolveSessionCookie(options: SessionCookieOptions = {}): ResolvedSessionCookie {
  const { name = '__Host-sid', secure = true, sameSite = 'lax', path = '/', domain, maxAge } = options
  if (typeof name !== 'string' || !TOKEN.test(name)) refuse('name', 'must be letters, digits and signs such as - and _')
  if (typeof secure !== 'boolean') refuse('secure', 'must be true or false')
  if (!Object.hasOwn(SAME_SITE, sameSite)) refuse('sameSite', "must be 'lax', 'strict' or 'none'")
  if (typeof path !== 'string' || !PATH.test(path)) refuse('path', "must begin with '/' and have no ';'")
  if (domain !== undefined && (typeof domain !== 'string' || !DOMAIN.test(domain))) refuse('domain', 'must be a domain')
  if (name.startsWith('__Host-') && (!secure || path !== '/' || domain !== undefined)) {
    refuse('name', "begins with '__Host-': that needs secure, path '/' and no domain; without them call it 'sid'")
  }
  if (name.startsWith('__Secure-') && !secure) refuse('name', "begins with '__Secure-': that needs secure")
  if (sameSite === 'none' && !secure) refuse('sameSite', "is 'none': browsers take that only with secure")
  const scope = [
    `Path=${path}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    'HttpOnly',
    ...(secure ? ['Secure'] : []),
    `SameSite=${SAME_SITE[sameSite]}`,
  ].join('; ')
  const age = maxAge === undefined ? '' : `; Max-Age=${Math.ceil(ttlToMs(maxAge, 'session.cookie.maxAge') / 1_000)}`
  return { name, attributes: scope + age, scope }
}

const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' }
const TOKEN = /^[\w!#$%&'*+.^`|~-]{1,128}$/
const PATH = /^\/[ -:<-~]*$/
const DOMAIN = /^[\w.-]+$/

function refuse(option: keyof SessionCookieOptions, why: string): never {
  throw new ConfigurationError(`session.cookie.${option}`, why)
}

/** Of Node, and so of Express; or a reply of Fastify. */
interface Headers {
  getHeader(name: string): unknown
  removeHeader(name: string): unknown
  setHeader?(name: string, value: string[]): unknown
  header?(name: string, value: string[]): unknown
}

function write(response: object, name: string, field: string): void {
  const headers = response as Headers
  const before = headers.getHeader('Set-Cookie')
  const others = (before === undefined ? [] : [before].flat().map(String)).filter(
    (other) => !other.startsWith(`${name}=`),
  )
  // Fastify adds to those that are there.
  headers.removeHeader('Set-Cookie')
  const all = [...others, field]
  if (headers.setHeader === undefined) headers.header?.('Set-Cookie', all)
  else headers.setHeader('Set-Cookie', all)
}
