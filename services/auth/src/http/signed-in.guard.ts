import type { ServerResponse } from 'node:http'
import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common'
import { ApiBearerAuth } from '@nestjs/swagger'
import { ApiProblems } from '@vextrus/service-kit'
import { JwtBlacklistGuard } from '@vextrus/shared/jwt'
import { InvalidTokenError, Tokens } from '../tokens/tokens.js'
import type { AuthRequest } from './auth-request.js'

/** Lets a request pass that has an access token of this service, and leaves its claims on it. Whether it is revoked the next guard asks. */
@Injectable()
export class AccessTokenGuard implements CanActivate {
  constructor(@Inject(Tokens) private readonly tokens: Tokens) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp()
    const request = http.getRequest<AuthRequest>()
    const [, token] = BEARER.exec(request.headers.authorization ?? '') ?? []
    try {
      if (token === undefined) throw new InvalidTokenError('The header Authorization must be "Bearer" and a token')
      request.user = await this.tokens.verifyAccess(token)
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error
      // RFC 6750, 3: no error is named to those who have shown nothing.
      const challenge = token === undefined ? 'Bearer' : 'Bearer error="invalid_token"'
      http.getResponse<ServerResponse>().setHeader('WWW-Authenticate', challenge)
      throw new UnauthorizedException(error.message, { cause: error })
    }
    return true
  }
}

/** RFC 6750; the scheme is in any case. */
const BEARER = /^bearer +([\w.~+/-]+=*) *$/i

/** For whoever is logged in, with a token that is not revoked. */
export const SignedIn = (): ClassDecorator & MethodDecorator =>
  applyDecorators(
    UseGuards(AccessTokenGuard, JwtBlacklistGuard),
    ApiBearerAuth(),
    ApiProblems({
      401: 'There is no token, or it is not believed any more',
      503: 'Nobody knows at the moment whether it is',
    }),
  )
