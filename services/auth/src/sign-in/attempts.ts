import { Inject, Injectable } from '@nestjs/common'
import {
  RateLimiterService,
  RateLimitExceededException,
  type RateLimitIds,
  type RateLimitRule,
  RateLimitUnavailableError,
} from '@vextrus/shared/rate-limit'
import { AUTH_CONFIG, type AuthConfig } from '../config.js'

/** Who tries to log in, and from where. */
export interface Attempt {
  readonly tenantId: string
  readonly name: string
  /** As `clientAddress` counts it; undefined: nobody knows. */
  readonly address: string | undefined
}

/** For this long what failed is remembered; it wears off evenly. */
const WINDOW = '15m'

/**
 * How often a password may be guessed: for one user of a tenant, from wherever, and from one address, whatever the user and the tenant. Right ones
 * give back what they took. While Redis is away each process counts for itself.
 *
 * Whoever spends the attempts of somebody else keeps that one out for a while, but for those who are logged in: it is the price of a limit that
 * many addresses together can't get around.
 */
@Injectable()
export class Attempts {
  private readonly rules: readonly RateLimitRule[]

  constructor(
    @Inject(RateLimiterService) private readonly limiter: RateLimiterService,
    @Inject(AUTH_CONFIG) { attempts }: Pick<AuthConfig, 'attempts'>,
  ) {
    this.rules = [
      { name: 'login-user', by: 'login', limit: attempts.ofUser, window: WINDOW },
      // One counter over all tenants, and no unit taken in advance: what a process has left over would be lost to the others.
      { name: 'login-address', by: 'ip', limit: attempts.fromAddress, window: WINDOW, scope: 'global', lease: 1 },
    ]
  }

  /** Spends an attempt. @throws RateLimitExceededException 429: there are none left */
  async spend(attempt: Attempt): Promise<void> {
    const { allowed, rules, retryAfterMs } = await this.limiter.consume(this.rules, idsOf(attempt))
    if (allowed) return
    const violated = rules.filter((rule) => !rule.allowed).map(({ name }) => name)
    throw new RateLimitExceededException(violated, retryAfterMs, 'Too many log-ins have failed: try again later')
  }

  /** Gives it back: the password was right. */
  async giveBack(attempt: Attempt): Promise<void> {
    try {
      await this.limiter.refund(this.rules, idsOf(attempt))
    } catch (error) {
      // One attempt fewer for a while is nothing that a log-in fails for.
      if (!(error instanceof RateLimitUnavailableError)) throw error
    }
  }
}

/** A name that is spelled otherwise is the same user's. Who has no address is counted with all others who have none. */
const idsOf = ({ tenantId, name, address }: Attempt): RateLimitIds => ({
  ...{ tenant: tenantId, login: name.toLowerCase(), ip: address ?? 'unknown' },
})
