import { HttpException } from '@nestjs/common'
import { type JwtBlacklistService, type JwtClaims, JwtUnavailableError } from '@vextrus/shared/jwt'
import type { Upstream } from '../proxy/upstream.js'
import { UndecidedTokenError } from './tokens.js'

/** What becomes of a token of which nobody can say whether it was revoked: 503, or it passes. */
export type WhenUnknown = 'refuse' | 'accept'

/** Whether tokens, which are good as far as they say themselves, have been revoked. */
export abstract class Revocations {
  /** @param token whose claims these are @throws UndecidedTokenError nobody knows, and such tokens are refused */
  abstract isRevoked(claims: JwtClaims, token: string): Promise<boolean>
}

/** The blacklist in the Redis that the gateway and the auth service share. What becomes of unknown ones is `forRoot({ jwt: { onUnavailable } })`. */
export class SharedRevocations extends Revocations {
  constructor(private readonly blacklist: JwtBlacklistService) {
    super()
  }

  async isRevoked(claims: JwtClaims, token: string): Promise<boolean> {
    try {
      return await this.blacklist.isRevoked(claims, token)
    } catch (error) {
      if (error instanceof JwtUnavailableError) throw undecided(error)
      throw error
    }
  }
}

/** Without a Redis that they share, what one process knows no other does: the auth service is asked, each time. */
export class AskedRevocations extends Revocations {
  constructor(
    private readonly authService: Upstream,
    private readonly whenUnknown: WhenUnknown,
  ) {
    super()
  }

  async isRevoked(_claims: JwtClaims, token: string): Promise<boolean> {
    const status = await this.ask(token)
    if (status === 204) return false
    if (status === 401) return true
    if (this.whenUnknown === 'accept') return false
    throw undecided()
  }

  /** Undefined: no answer. */
  private async ask(token: string): Promise<number | undefined> {
    try {
      const headers = { authorization: `Bearer ${token}` }
      const answer = await this.authService.open({ method: 'GET', target: '/introspection', headers })
      answer.resume()
      return answer.statusCode
    } catch (error) {
      if (error instanceof HttpException) return undefined
      throw error
    }
  }
}

function undecided(cause?: Error): UndecidedTokenError {
  return new UndecidedTokenError('Whether the token was revoked nobody can say at the moment', { cause })
}
