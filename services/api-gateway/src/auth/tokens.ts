import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Caller } from '../http/gateway-request.js'

/** Who signs the tokens, and for whom. */
export interface TokenOptions {
  /** Shared with whoever issues tokens: 32 bytes or more. */
  readonly key: string
  readonly issuer: string
  readonly audience: string
}

/** The token is not believed; the message is for its sender. */
export class InvalidTokenError extends Error {}

/** The one algorithm: what a token says of itself decides nothing. */
const ALGORITHM = 'HS256'
/** For clocks that differ. */
const CLOCK_TOLERANCE_S = 5

/** Both ids become part of headers, and of keys in Redis. */
export const tokenClaims = z.object({
  sub: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  // What the services take for a tenant's id.
  tenantId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  roles: z
    .array(z.string().regex(/^[\w.:-]{1,64}$/))
    .max(50)
    .default([]),
})

/** The tokens that callers show: JWT, signed with a key that their issuer and the gateway share. */
export class Tokens {
  private readonly key: KeyObject

  constructor(private readonly options: TokenOptions) {
    this.key = createSecretKey(Buffer.from(options.key))
  }

  /**
   * Who shows this token: signature, issuer, audience, `exp` – which must be there – and `nbf` are checked.
   * @throws InvalidTokenError
   */
  async verify(token: string): Promise<Caller> {
    const { issuer, audience } = this.options
    try {
      const { payload } = await jwtVerify(token, this.key, {
        algorithms: [ALGORITHM],
        issuer,
        audience,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ['exp'],
      })
      const { sub, tenantId, roles } = tokenClaims.parse(payload)
      return { id: sub, tenantId, roles }
    } catch (error) {
      throw new InvalidTokenError(faultOf(error), { cause: error })
    }
  }

  /** Makes a token. @param ttl how long it is good for, such as `1h` */
  issue({ id, tenantId, roles }: Caller, ttl: string): Promise<string> {
    return new SignJWT({ tenantId, roles: [...roles] })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setSubject(id)
      .setIssuer(this.options.issuer)
      .setAudience(this.options.audience)
      .setIssuedAt()
      .setExpirationTime(ttl)
      .sign(this.key)
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
