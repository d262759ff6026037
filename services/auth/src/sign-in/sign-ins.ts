import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Inject,
  Injectable,
  NotFoundException,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common'
import { JwtBlacklistService, RefreshTokenFamilies } from '@vextrus/shared/jwt'
import { type SessionInfo, SessionService } from '@vextrus/shared/session'
import { ACCESS_S, type AccessClaims, InvalidTokenError, Tokens } from '../tokens/tokens.js'
import { type KnownUser, Users } from '../users/users.js'
import { type Attempt, Attempts } from './attempts.js'

/** A session ends when no token of it was refreshed for so long, and at the latest after `absoluteS`. */
export const SESSION = { idleS: 30 * 60, absoluteS: 12 * 60 * 60 } as const

/** What a log-in is tried with. */
export interface Credentials {
  readonly tenantId: string
  readonly name: string
  readonly password: string
}

/** What a list of devices shows. */
export interface Device {
  readonly userAgent: string
  /** Undefined: nobody knows. */
  readonly address: string | undefined
}

/** What a log-in, and each refresh, is answered with. */
export interface TokenPair {
  readonly accessToken: string
  readonly tokenType: 'Bearer'
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
  readonly user: KnownUser
}

/** At most, between replicas. */
const CLOCKS_DIFFER_S = 1
/** A wall clock, far ahead of this one, is an error of whoever runs the servers. */
const LONGEST_WAIT_MS = 5_000

/**
 * Who is logged in, where, and until when. A log-in is a session, and its tokens a family that has the session's handle as its name. Access tokens
 * are believed by whoever has the public keys, and this service tells everybody through the blacklist which are not to be believed any more.
 *
 * Each of these fails with 503 while Redis is away: nothing is accepted, and nothing is said to have ended that may not have.
 */
@Injectable()
export class SignIns {
  constructor(
    @Inject(Users) private readonly users: Users,
    @Inject(Tokens) private readonly tokens: Tokens,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(SessionService) private readonly sessions: SessionService,
    @Inject(RefreshTokenFamilies) private readonly families: RefreshTokenFamilies,
    @Inject(JwtBlacklistService) private readonly blacklist: JwtBlacklistService,
  ) {}

  /** @throws RateLimitExceededException; UnauthorizedException, which does not tell what is wrong */
  async logIn({ tenantId, name, password }: Credentials, { userAgent, address }: Device): Promise<TokenPair> {
    const attempt = { tenantId, name, address }
    await this.attempts.spend(attempt)
    const user = await this.known(attempt, password)
    if (user === undefined) throw new UnauthorizedException('The tenant, the name or the password is wrong')
    await this.attempts.giveBack(attempt)
    const meta = { userAgent, ...(address === undefined ? {} : { address }) }
    const session = await this.sessions.create(user.id, {}, { tenantId, meta })
    const jti = randomUUID()
    await this.families.begin(session.handle, jti)
    return this.pair(user, session, jti)
  }

  /**
   * New tokens for a refresh token, which is used once. Again within some seconds – two tabs, a lost answer – it answers the same token's successor;
   * later it was stolen from one of the two who have it, and the log-in ends for both.
   * @throws UnauthorizedException
   */
  async refresh(refreshToken: string): Promise<TokenPair> {
    const claims = await this.believed(this.tokens.verifyRefresh(refreshToken))
    if (await this.blacklist.isRevoked(claims)) throw ended()
    const session = await this.sessions.get(claims.session)
    if (session === null || session.handle !== claims.fam) throw ended()
    const user = await this.users.get(claims.tenantId, claims.sub)
    if (user === undefined) {
      await this.end(claims.sub, claims.fam)
      throw ended()
    }
    const { outcome, token } = await this.families.rotate(claims.fam, claims.jti, randomUUID())
    if ((outcome === 'rotated' || outcome === 'repeated') && token !== undefined) return this.pair(user, session, token)
    // The family has ended, or nobody knows it: so does the device that the list shows.
    await this.sessions.destroy(session.id)
    throw ended()
  }

  /** Whose token this is, if it is to be believed. @throws UnauthorizedException; JwtUnavailableError nobody knows whether it is revoked */
  async signedIn(accessToken: string): Promise<AccessClaims> {
    const claims = await this.believed(this.tokens.verifyAccess(accessToken))
    if (await this.blacklist.isRevoked(claims, accessToken)) throw ended()
    return claims
  }

  /** Ends this log-in. What the token is believed by goes last: as long as anything is left of it, the same call can be made again. */
  async logOut({ sub, fam, jti, exp }: AccessClaims): Promise<void> {
    await this.sessions.destroyOne(sub, fam)
    await this.families.end(fam)
    await this.blacklist.revoke({ jti, exp })
  }

  /**
   * Ends all log-ins of the user. What was issued up to this second is revoked, on the clock by which tokens are issued: this one. And the next
   * second too, for another replica, whose clock is a little ahead, may have dated a token in it already.
   * @returns how many there were
   */
  async logOutEverywhere({ sub, tenantId }: AccessClaims): Promise<number> {
    const count = await this.sessions.destroyAllForUser(sub, { tenantId })
    await this.blacklist.revokeAllForUser(sub, { tenantId, before: nowS() + CLOCKS_DIFFER_S })
    return count
  }

  /** Where the user is logged in, oldest first. */
  devices({ sub, tenantId }: AccessClaims): Promise<SessionInfo[]> {
    return this.sessions.listForUser(sub, { tenantId })
  }

  /** Ends one of the user's log-ins. @throws NotFoundException */
  async endDevice(claims: AccessClaims, handle: string): Promise<void> {
    const isThere = (await this.devices(claims)).some((session) => session.handle === handle)
    if (!isThere) throw new NotFoundException('The user is not logged in on this device')
    await this.end(claims.sub, handle)
  }

  /** An attempt of which nobody has learned anything, for too many log in at once or the database is away, is none. */
  private async known(attempt: Attempt, password: string): Promise<KnownUser | undefined> {
    try {
      return await this.users.withPassword(attempt.tenantId, attempt.name, password)
    } catch (error) {
      await this.attempts.giveBack(attempt)
      throw error
    }
  }

  /** Another log-in than the one that asks. The family first: its tokens are refused from then on, and what is still in the list can be ended again. */
  private async end(userId: string, handle: string): Promise<void> {
    await this.families.end(handle)
    await this.sessions.destroyOne(userId, handle)
  }

  /**
   * A token that is revoked before anybody has seen it was dated in a second in which the user logged out everywhere, or in the one after that:
   * `iat` knows no smaller step. It is dated in the next one that is not, once that has come.
   *
   * What logs the user out everywhere ends the sessions first, and then revokes all up to its second. So the session is asked for once more, after
   * the date is known: where it is still there, a log-out that ends it revokes this date too; else a token that was slow would outlive its log-out.
   * @throws UnauthorizedException the session has ended meanwhile
   */
  private async pair(user: KnownUser, session: SessionInfo & { readonly id: string }, jti: string): Promise<TokenPair> {
    const { id: sub, tenantId, roles } = user
    const { handle } = session
    const exp = Math.floor(session.createdAt.getTime() / 1_000) + SESSION.absoluteS
    const access = { sub, tenantId, roles: [...roles], jti: randomUUID(), fam: handle, sid: handle }
    const iat = await this.dateOf({ sub, tenantId, jti: access.jti })
    if (!(await this.sessions.touch(session.id))) throw ended()
    return {
      accessToken: await this.tokens.signAccess(access, iat),
      tokenType: 'Bearer',
      expiresIn: ACCESS_S,
      refreshToken: await this.tokens.signRefresh({ sub, tenantId, jti, fam: handle, session: session.id }, iat, exp),
      user,
    }
  }

  private async dateOf(claims: { sub: string; tenantId: string; jti: string }): Promise<number> {
    const giveUpAt = performance.now() + LONGEST_WAIT_MS
    for (;;) {
      const iat = nowS()
      if (!(await this.blacklist.isRevoked({ ...claims, iat }))) return iat
      if (performance.now() > giveUpAt) {
        throw new ServiceUnavailableException('The tokens of this user are revoked for some seconds more: try again')
      }
      await delay(1_000 - (Date.now() % 1_000))
    }
  }

  private async believed<T>(verifying: Promise<T>): Promise<T> {
    try {
      return await verifying
    } catch (error) {
      if (error instanceof InvalidTokenError) throw new UnauthorizedException(error.message, { cause: error })
      throw error
    }
  }
}

const nowS = (): number => Math.floor(Date.now() / 1_000)
const ended = () => new UnauthorizedException('The log-in has ended: log in again')
