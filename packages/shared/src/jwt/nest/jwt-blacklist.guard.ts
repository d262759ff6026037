import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger, Optional } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { announceProblem, httpReplyOf } from '../../nest/http-reply.js'
import { requestOf } from '../../nest/request-of.js'
import { transportError } from '../../nest/transport-error.js'
import { JwtUnavailableError } from '../errors.js'
import { JwtBlacklistService, type JwtClaims } from '../jwt-blacklist.js'
import { textOf } from '../token-marks.js'
import { JwtGuardSettings } from './guard-options.js'
import { type JwtRefusal, JwtRefusedException } from './jwt-refused.exception.js'

/**
 * Lets pass who has a token that is not revoked, over HTTP on Express and Fastify, GraphQL, web sockets and microservices.
 *
 * It verifies no signature: it stands behind the guard that does, of `@nestjs/jwt` or passport, and believes the claims which that one has left as
 * `user` of the request, or of `data` of a web socket's client. A passport strategy whose `validate` answers something else than the claims needs
 * `jwt.claimsOf`; so do microservices. A token that `Authorization: Bearer` has is asked for as a whole too (`revokeToken`).
 *
 * Revoked, and what nothing could revoke: 401. Nobody knows, and `jwt.onUnavailable` is `'throw'`: 503 with `Retry-After`. No claims: 401, but for
 * handlers that are public by `jwt.isPublic`. All are {@link JwtRefusedException}, as problem+json; `extensions` of a GraphQL error; `{ status:
 * 'error', code, message }` for a web socket and a microservice. On a web socket each message is looked at, so a token that is revoked later is.
 *
 * @example
 * ```ts
 * providers: [{ provide: APP_GUARD, useClass: AuthGuard }, { provide: APP_GUARD, useClass: JwtBlacklistGuard }]
 * // or @UseGuards(AuthGuard('jwt'), JwtBlacklistGuard)
 * ```
 */
@Injectable()
export class JwtBlacklistGuard implements CanActivate {
  private readonly logger = new Logger('JwtBlacklistGuard')

  constructor(
    @Inject(JwtBlacklistService) private readonly blacklist: JwtBlacklistService,
    @Optional() @Inject(JwtGuardSettings) private readonly settings = new JwtGuardSettings(),
  ) {}

  /** Called by Nest. @throws JwtRefusedException, and what `claimsOf`, `tokenOf` and `isPublic` throw */
  async canActivate(context: ExecutionContext): Promise<true> {
    const { claimsOf, tokenOf = bearerOf } = this.settings.options
    const claims = claimsOf === undefined ? userOf(context) : await claimsOf(context)
    if (claims === undefined || claims === null) {
      if (this.isPublic(context)) return true
      throw await refusal(context, 'TOKEN_REQUIRED')
    }
    const isKnown = claimsOf !== undefined || this.canBeRevoked(claims)
    if (!isKnown || (await this.isRevoked(context, claims as JwtClaims, tokenOf(context) ?? undefined))) {
      throw await refusal(context, 'TOKEN_REFUSED')
    }
    return true
  }

  private async isRevoked(context: ExecutionContext, claims: JwtClaims, token: string | undefined): Promise<boolean> {
    try {
      return await this.blacklist.isRevoked(claims, token)
    } catch (error) {
      if (!(error instanceof JwtUnavailableError)) throw error
      throw await refusal(context, 'JWT_UNAVAILABLE', error)
    }
  }

  /** Not by the token of the request alone: it may be another than the one that was verified. */
  private canBeRevoked(user: unknown): boolean {
    const { jti, sub } = user as JwtClaims
    if (textOf(jti) !== undefined || textOf(sub) !== undefined) return true
    if (this.settings.isNews()) {
      this.logger.warn(
        'the `user` of a request has neither `jti` nor `sub`, so no revocation can reach it, and it is refused: leave the claims of the token ' +
          'there, or say by `jwt.claimsOf` where they are',
      )
    }
    return false
  }

  private isPublic(context: ExecutionContext): boolean {
    const { isPublic } = this.settings.options
    if (isPublic === undefined) return false
    if (typeof isPublic === 'function') return isPublic(context)
    return REFLECTOR.getAllAndOverride<unknown>(isPublic, [context.getHandler(), context.getClass()]) === true
  }
}

const REFLECTOR = new Reflector()

/** What may be there: nothing of it is sure. */
interface Given {
  readonly user?: unknown
  readonly headers?: Headers | null
  /** Of a client of socket.io. */
  readonly data?: { readonly user?: unknown } | null
  readonly handshake?: { readonly headers?: Headers | null } | null
}

interface Headers {
  readonly authorization?: unknown
}

function userOf(context: ExecutionContext): unknown {
  const { user, data }: Given = requestOf(context) ?? {}
  return context.getType<string>() === 'ws' ? (data?.user ?? user) : user
}

function bearerOf(context: ExecutionContext): string | undefined {
  const { headers, handshake }: Given = requestOf(context) ?? {}
  const authorization = headers?.authorization ?? handshake?.headers?.authorization
  return typeof authorization === 'string' ? BEARER.exec(authorization)?.[1] : undefined
}

/** RFC 9110, section 11.4: the scheme is in any case. */
const BEARER = /^Bearer +(\S+) *$/i

async function refusal(context: ExecutionContext, code: JwtRefusal, cause?: JwtUnavailableError): Promise<Error> {
  const refused = new JwtRefusedException(code, { cause })
  const response = httpReplyOf(context)
  if (response !== undefined) announceProblem(response, refused.headers)
  return transportError(context.getType(), refused)
}
