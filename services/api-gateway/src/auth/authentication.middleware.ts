import { Inject, Injectable, type NestMiddleware } from '@nestjs/common'
import { runAsTenant } from '@vextrus/shared/cache'
import { type GatewayRequest, type GatewayResponse, headerOf } from '../http/gateway-request.js'
import { Revocations } from './revocations.js'
import { InvalidTokenError, Tokens, UndecidedTokenError } from './tokens.js'

/**
 * Tells who asks, by the token in `Authorization`, and runs the request as that caller's tenant from here on: the tenant is the token's, whatever
 * else the request says. It refuses nobody. Limits are counted first – also for tokens that are not believed, by the sender's address –, then
 * {@link SignedIn} refuses.
 */
@Injectable()
export class AuthenticationMiddleware implements NestMiddleware<GatewayRequest, GatewayResponse> {
  constructor(
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Revocations) private readonly revocations: Revocations,
  ) {}

  async use(request: GatewayRequest, _response: GatewayResponse, next: () => void): Promise<void> {
    await this.identify(request)
    if (request.user === undefined) next()
    else runAsTenant(request.user.tenantId, next)
  }

  private async identify(request: GatewayRequest): Promise<void> {
    const authorization = headerOf(request, 'authorization')
    if (authorization === undefined) return
    const [, token] = BEARER.exec(authorization) ?? []
    if (token === undefined) {
      request.tokenFault = 'The header Authorization must be "Bearer" and a token'
      return
    }
    try {
      const { caller, claims } = await this.tokens.verify(token)
      if (await this.revocations.isRevoked(claims, token)) request.tokenFault = 'The token was revoked: log in again'
      else request.user = caller
    } catch (error) {
      if (error instanceof InvalidTokenError) request.tokenFault = error.message
      else if (error instanceof UndecidedTokenError) request.undecided = error.message
      else throw error
    }
  }
}

/** RFC 6750; the scheme is in any case. */
const BEARER = /^bearer +([\w.~+/-]+=*) *$/i
