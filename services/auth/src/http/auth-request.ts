import type { IncomingMessage } from 'node:http'
import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { clientAddress } from '@vextrus/shared/rate-limit'
import type { Device } from '../sign-in/sign-ins.js'
import type { AccessClaims } from '../tokens/tokens.js'

/** A request of Express, as far as this service looks at it. */
export interface AuthRequest extends IncomingMessage {
  /** The sender's address: the socket's, or what a proxy says that is trusted. */
  readonly ip?: string
  /** Of a token that was verified; `JwtBlacklistGuard` asks whether it is revoked. */
  user?: AccessClaims
}

/** Long enough to be told apart in a list, too short to fill anybody's memory. */
const LONGEST_AGENT = 200

/** Where a request comes from, as its sender's list of devices shows it. */
export function deviceOf({ headers, ip }: Pick<AuthRequest, 'headers' | 'ip'>): Device {
  return { userAgent: (headers['user-agent'] ?? 'unknown').slice(0, LONGEST_AGENT), address: clientAddress(ip) }
}

/** What the token of the request says, in a handler that is `SignedIn`. */
export const Claims = createParamDecorator((_: unknown, context: ExecutionContext): AccessClaims => {
  const { user } = context.switchToHttp().getRequest<AuthRequest>()
  if (user === undefined) throw new Error('@Claims needs @SignedIn')
  return user
})
