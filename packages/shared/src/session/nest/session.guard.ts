import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger, Optional } from '@nestjs/common'
import { SerializationError } from '../../kernel/errors.js'
import { SessionUnavailableError } from '../errors.js'
import { type Session, SessionService } from '../session.js'
import { keepSession, requestOf, sessionOf } from './request-session.js'
import { SessionGuardSettings } from './session-guard-settings.js'
import { SessionRefusedException } from './session.exception.js'

/** Before it is worth another try, seconds: a server that is away needs a failover or a restart. */
const RETRY_AFTER_S = 5

/**
 * Lets pass who has a session, over HTTP on Express and Fastify and in GraphQL. The session's idle time begins anew; the handler has it by
 * `@CurrentSession()`, and where nobody has set `request.user` that is `{ id, tenantId }` of the session.
 *
 * No session: 401. Redis gives no answer: 503 with `Retry-After`, and nobody is let pass. Both are {@link SessionRefusedException}. A session whose data
 * can't be read, for its encryption key is gone, is none. Web sockets and microservices bring no request with headers: they are refused.
 *
 * @example `providers: [{ provide: APP_GUARD, useClass: SessionGuard }]`, or `@UseGuards(SessionGuard)`
 */
@Injectable()
export class SessionGuard implements CanActivate {
  private readonly logger = new Logger('SessionGuard')
  private told = false

  constructor(
    @Inject(SessionService) private readonly sessions: SessionService,
    @Optional() @Inject(SessionGuardSettings) private readonly settings = new SessionGuardSettings(),
  ) {}

  /** Called by Nest. @throws SessionRefusedException */
  async canActivate(context: ExecutionContext): Promise<true> {
    const request = requestOf(context)
    // This guard may stand in several places, and a GraphQL query has many fields.
    if (request !== undefined && sessionOf(request) !== undefined) return true
    const id = request?.headers && this.settings.idOf(request.headers)
    const session = id === undefined ? null : await this.find(id, context)
    if (session !== null) keepSession(request!, session)
    else if (!this.settings.optional(context)) this.refuse(context)
    return true
  }

  private async find(id: string, context: ExecutionContext): Promise<Session<unknown> | null> {
    try {
      return await this.sessions.get(id)
    } catch (error) {
      if (error instanceof SerializationError) return this.tell(error)
      if (!(error instanceof SessionUnavailableError)) throw error
      announce(context, { 'Retry-After': String(RETRY_AFTER_S) })
      throw new SessionRefusedException('SESSION_UNAVAILABLE', { cause: error })
    }
  }

  private refuse(context: ExecutionContext): never {
    const { challenge } = this.settings
    announce(context, challenge === undefined ? {} : { 'WWW-Authenticate': challenge })
    throw new SessionRefusedException('SESSION_REQUIRED')
  }

  private tell({ message }: SerializationError): null {
    if (!this.told) this.logger.warn(`sessions that can't be read are ended by a new log-in: ${message}`)
    this.told = true
    return null
  }
}

/** Nest sends the body of an HttpException as JSON, of the type that the response has by then. */
function announce(context: ExecutionContext, headers: Readonly<Record<string, string>>): void {
  if (context.getType() !== 'http') return
  const response = context.switchToHttp().getResponse<{ header?(name: string, value: string): unknown } | undefined>()
  const all = { ...headers, 'Content-Type': 'application/problem+json; charset=utf-8', 'Cache-Control': 'no-store' }
  for (const [name, value] of Object.entries(all)) response?.header?.(name, value)
}
