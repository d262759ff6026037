import { keySegment, sha256 } from '../kernel/key-part.js'

/** What a token can be revoked by, and the marks under which that is said. Ids may come from the network: no two make the same mark. */

/** Characters of a token. */
export const LONGEST_TOKEN = 65_536

/** An id of claims. Ids of databases are often numbers, and `sub` of what they are given to as text. Undefined: there is none, or none that is one. */
export function textOf(id: unknown): string | undefined {
  if (typeof id === 'string') return id === '' ? undefined : id
  return typeof id === 'number' && Number.isFinite(id) ? String(id) : undefined
}

export function isAbsent(claim: unknown): boolean {
  return claim === undefined || claim === null || claim === ''
}

export function isToken(token: unknown): token is string {
  return typeof token === 'string' && token.length <= LONGEST_TOKEN && /^\S+$/.test(token)
}

/** Seconds since 1970, until the year 5138. Milliseconds of after 1973 are none: they are more. */
export function isSeconds(time: unknown): time is number {
  return typeof time === 'number' && time >= 0 && time < 1e11
}

export function jtiMark(jti: string): string {
  return `{j:${keySegment(jti)}}`
}

export function userMark(sub: string, tenant: string | undefined): string {
  return tenant === undefined ? `{u:${keySegment(sub)}}` : `{u:${keySegment(sub)}:${keySegment(tenant)}}`
}

/**
 * By the hash of what its signature signs. The signature itself has several texts: those of base64url that end in other unused bits, and with ECDSA
 * another number for the same. Verifiers accept them all, so a revoked token would be valid again once one of them was changed.
 */
export function tokenMark(jwt: string): string {
  const isSigned = jwt.split('.').length === 3
  return `{t:${sha256(isSigned ? jwt.slice(0, jwt.lastIndexOf('.')) : jwt)}}`
}

/** Of a token whose signature nobody looks at here: a wrong one only keeps its own revocation for another time. */
export function expOf(jwt: string): number | undefined {
  const [, payload] = jwt.split('.')
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const exp = (claims as { exp?: unknown } | null)?.exp
    return isSeconds(exp) ? exp : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
