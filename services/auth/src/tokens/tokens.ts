import { Inject, Injectable } from '@nestjs/common'
import { errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { AUTH_CONFIG, type AuthConfig } from '../config.js'
import { ALGORITHM, SigningKeys } from './signing-keys.js'

/** How long an access token is good for. */
export const ACCESS_S = 15 * 60
/** For clocks that differ. */
const CLOCK_TOLERANCE_S = 5

const common = {
  /** The user. */
  sub: z.string().min(1),
  tenantId: z.string().min(1),
  /** This token's own name. */
  jti: z.string().min(1),
  /** The family of the tokens of one log-in. */
  fam: z.string().min(1),
  iat: z.number(),
  exp: z.number(),
}

const accessClaims = z.object({
  ...common,
  roles: z.array(z.string()),
  /** Names the session, and opens nothing. */
  sid: z.string().min(1),
})
export type AccessClaims = z.infer<typeof accessClaims>

const refreshClaims = z.object({
  ...common,
  /** Opens the session: the token is as secret as it is. */
  session: z.string().min(1),
})
export type RefreshClaims = z.infer<typeof refreshClaims>

type Unsigned<Claims> = Omit<Claims, 'iat' | 'exp'>

/** The token is not believed; the message is for its sender. */
export class InvalidTokenError extends Error {}

/**
 * The tokens of log-ins. Access tokens are for everybody who has the public keys; refresh tokens are for this service alone, which is their audience,
 * and so neither passes for the other.
 */
@Injectable()
export class Tokens {
  constructor(
    @Inject(SigningKeys) private readonly keys: SigningKeys,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'tokens'>,
  ) {}

  /** @param iat seconds since 1970 */
  signAccess(claims: Unsigned<AccessClaims>, iat: number): Promise<string> {
    return this.sign('at+jwt', this.config.tokens.audience, { ...claims, iat, exp: iat + ACCESS_S })
  }

  /** @param exp seconds since 1970: the end of the session */
  signRefresh(claims: Unsigned<RefreshClaims>, iat: number, exp: number): Promise<string> {
    return this.sign('rt+jwt', this.refreshAudience, { ...claims, iat, exp })
  }

  /** @throws InvalidTokenError */
  verifyAccess(token: string): Promise<AccessClaims> {
    return this.verify(token, 'at+jwt', this.config.tokens.audience, accessClaims)
  }

  /** @throws InvalidTokenError */
  verifyRefresh(token: string): Promise<RefreshClaims> {
    return this.verify(token, 'rt+jwt', this.refreshAudience, refreshClaims)
  }

  private get refreshAudience(): string {
    return `${this.config.tokens.issuer}/refresh`
  }

  private sign(typ: string, audience: string, claims: Record<string, unknown>): Promise<string> {
    return new SignJWT({ ...claims, iss: this.config.tokens.issuer, aud: audience })
      .setProtectedHeader({ alg: ALGORITHM, typ, kid: this.keys.kid })
      .sign(this.keys.signing)
  }

  private async verify<T>(token: string, typ: string, audience: string, claims: z.ZodType<T>): Promise<T> {
    try {
      const { payload } = await jwtVerify(token, this.keys.verifying, {
        ...{ algorithms: [ALGORITHM], typ, audience, issuer: this.config.tokens.issuer },
        clockTolerance: CLOCK_TOLERANCE_S,
      })
      return claims.parse(payload)
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new InvalidTokenError('The token has expired', { cause: error })
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
        throw new InvalidTokenError('The token is not valid', { cause: error })
      }
      throw error
    }
  }
}
