import { keySegment } from '../kernel/key-part.js'
import { familyMark } from './jwt-store.js'
import { isAbsent, isToken, jtiMark, textOf, tokenMark, userMark } from './token-marks.js'

/** What of a token decides whether it is revoked. */
export interface Asked {
  readonly jti: unknown
  readonly sub: unknown
  readonly iat: unknown
  readonly tenant: unknown
  readonly family: unknown
  readonly token: string | undefined
}

/** Why a token is revoked. */
export type Reason = 'jti' | 'token' | 'user' | 'family'

/** A mark that is to be looked at, and what it says of the token. */
export interface Question {
  readonly mark: string
  readonly by: Reason
  readonly revokes: (value: string | null) => boolean
}

/** All that has to be known of a token. None: nothing can revoke it. */
export function questionsOf({ jti, sub, iat, tenant, family, token }: Asked): Question[] {
  const byJti = textOf(jti)
  const byFamily = textOf(family)
  const byUser = textOf(sub)
  const byTenant = textOf(tenant)
  // It may be what the token was revoked by, in a form that can't be compared.
  if (isOdd(jti, byJti) || isOdd(family, byFamily) || isOdd(sub, byUser) || isOdd(tenant, byTenant)) return []
  if (!isAbsent(token) && !isToken(token)) return []
  const questions: Question[] = []
  if (byJti !== undefined) questions.push({ mark: jtiMark(byJti), by: 'jti', revokes: isThere })
  if (isToken(token)) questions.push({ mark: tokenMark(token), by: 'token', revokes: isThere })
  if (byFamily !== undefined) {
    questions.push({ mark: familyMark(keySegment(byFamily)), by: 'family', revokes: isThere })
  }
  if (byUser !== undefined) {
    // Without `iat` nobody knows that it is younger.
    const isOld = (value: string | null): boolean =>
      value !== null && !(typeof iat === 'number' && Math.floor(iat) > Number(value))
    questions.push({ mark: userMark(byUser, undefined), by: 'user', revokes: isOld })
    if (byTenant !== undefined) questions.push({ mark: userMark(byUser, byTenant), by: 'user', revokes: isOld })
  }
  return questions
}

function isThere(value: string | null): boolean {
  return value !== null
}

/** It is there, and no id. */
function isOdd(claim: unknown, id: string | undefined): boolean {
  return id === undefined && !isAbsent(claim)
}
