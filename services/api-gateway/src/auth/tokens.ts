import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  jwtVerify,
  type JWTVerifyGetKey,
} from 'jose'
import type { JwtClaims } from '@vextrus/shared/jwt'
import { z } from 'zod'
import type { Caller } from '../http/gateway-request.js'

/** Who signs the tokens, and for whom. */
export interface TokenOptions {
  /** Public keys of whoever issues tokens (RFC 7517), or where they are: the auth service's `/.well-known/jwks.json`. */
  readonly keys: URL | JSONWebKeySet
  readonly issuer: string
  readonly audience: string
  /** For so long after they were fetched the keys are not asked for again, whatever keys tokens name; milliseconds. @default 5_000 */
  readonly keysPauseMs?: number
}

/** The token is not believed; the message is for its sender. */
export class InvalidTokenError extends Error {}

/** Nobody can say at the moment whether the token is to be believed; the message is for its sender. */
export class UndecidedTokenError extends Error {}

/** A token that is believed as far as it says itself. Whether it was revoked is another question. */
export interface VerifiedToken {
  readonly caller: Caller
  readonly claims: JwtClaims
}

/** The one algorithm: what a token says of itself decides nothing. */
const ALGORITHM = 'EdDSA'
/** Access tokens (RFC 9068), and no other that the same key may have signed. */
const TYPE = 'at+jwt'
/** For clocks that differ. */
const CLOCK_TOLERANCE_S = 5
const KEYS_PAUSE_MS = 5_000

/** Both ids become part of headers, and of keys in Redis. */
const tokenClaims = z.object({
  sub: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  // What the services take for a tenant's id.
  tenantId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  roles: z
    .array(z.string().regex(/^[\w.:-]{1,64}$/))
    .max(50)
    .default([]),
})

/** The tokens that callers show: JWT, signed by the auth service, whose public keys are fetched when they are needed and kept for ten minutes. */
export class Tokens {
  private readonly key: JWTVerifyGetKey

  constructor(private readonly options: TokenOptions) {
    this.key = keyOf(options)
  }

  /**
   * Who shows this token: signature, type, issuer, audience, `exp` – which must be there – and `nbf` are checked.
   * @throws InvalidTokenError @throws UndecidedTokenError the keys can't be had
   */
  async verify(token: string): Promise<VerifiedToken> {
    const { issuer, audience } = this.options
    try {
      const { payload } = await jwtVerify(token, this.key, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer,
        audience,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ['exp'],
      })
      const { sub, tenantId, roles } = tokenClaims.parse(payload)
      return { caller: { id: sub, tenantId, roles }, claims: payload }
    } catch (error) {
      if (error instanceof UndecidedTokenError) throw error
      throw new InvalidTokenError(faultOf(error), { cause: error })
    }
  }
}

function keyOf({ keys, keysPauseMs = KEYS_PAUSE_MS }: TokenOptions): JWTVerifyGetKey {
  if (!(keys instanceof URL)) return createLocalJWKSet(keys)
  const remote = createRemoteJWKSet(keys, { cooldownDuration: keysPauseMs })
  return async (header, token) => {
    try {
      return await remote(header, token)
    } catch (error) {
      // What the token says of its key is its own fault, all else that of the way to the keys.
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error
      throw new UndecidedTokenError('The keys of the tokens can not be had at the moment', { cause: error })
    }
  }
}

/** What the sender may know: which claim is at fault, and nothing of why a signature is. */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `The token's claim "${error.claim}" is not accepted`
  if (error instanceof z.ZodError) return `The token's claim "${String(error.issues[0]?.path[0])}" is not accepted`
  if (error instanceof errors.JOSEError) return 'The token is not valid'
  throw error
}
