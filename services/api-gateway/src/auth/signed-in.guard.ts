import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  ServiceUnavailableException,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common'
import { ApiBearerAuth } from '@nestjs/swagger'
import { ApiProblems } from '@vextrus/service-kit'
import type { Caller, GatewayRequest, GatewayResponse } from '../http/gateway-request.js'

/**
 * Who asks. @throws UnauthorizedException nobody that the gateway knows; `WWW-Authenticate` says what is missing
 * @throws ServiceUnavailableException nobody can say whether the token is good
 */
export function callerOf(request: GatewayRequest, response: GatewayResponse): Caller {
  const { user, tokenFault, undecided } = request
  if (user !== undefined && tokenFault === undefined) return user
  if (undecided !== undefined) throw new ServiceUnavailableException(undecided)
  // RFC 6750, 3: no error is named to those who have shown nothing.
  response.setHeader('WWW-Authenticate', tokenFault === undefined ? 'Bearer' : 'Bearer error="invalid_token"')
  throw new UnauthorizedException(tokenFault ?? 'The header Authorization is missing: send "Bearer" and a token')
}

/** Lets a request pass whose token is believed. */
@Injectable()
export class SignedInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp()
    callerOf(http.getRequest<GatewayRequest>(), http.getResponse<GatewayResponse>())
    return true
  }
}

/** For callers with a token alone. */
export const SignedIn = (): ClassDecorator & MethodDecorator =>
  applyDecorators(
    UseGuards(SignedInGuard),
    ApiBearerAuth(),
    ApiProblems({
      401: 'There is no token, or it is not believed',
      429: 'The caller, or its tenant, has had enough',
      503: 'Whether the token was revoked nobody can say at the moment',
    }),
  )
