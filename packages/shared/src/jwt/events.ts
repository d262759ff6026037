import { defineEvent } from '../kernel/events.js'

/** Something was revoked. No ids: they are secrets, or nearly. */
export const jwtRevoked = defineEvent<{ readonly by: 'jti' | 'token' | 'user' | 'family' }>('jwt.revoked')

/** A token was refused: it is revoked, or, by `claims` and `expired`, nothing could revoke it. */
export const jwtRefused = defineEvent<{ readonly by: 'jti' | 'token' | 'user' | 'family' | 'claims' | 'expired' }>(
  'jwt.refused',
)

/** A refresh token that had been replaced was presented: somebody has stolen one, and its family has ended. */
export const refreshTokenReused = defineEvent<{ readonly family: string }>('jwt.refresh-reused')
