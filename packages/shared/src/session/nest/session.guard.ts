import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger, Optional } from '@nestjs/common'
import { SerializationError } from '../../kernel/errors.js'
import { announceProblem, httpReplyOf } from '../../nest/http-reply.js'
import { requestOf } from '../../nest/request-of.js'
import { transportError } from '../../nest/transport-error.js'
import { SessionUnavailableError } from '../errors.js'
import { type Session, SessionService } from '../session.js'
import { keepSession, type SessionRequest, sessionOf } from './request-session.js'
import { SessionGuardSettings } from './session-guard-settings.js'
import { SessionRefusedException } from './session.exception.js'

/**
 * Lets pass who has a session, over HTTP on Express and Fastify and in GraphQL. The session's idle time begins anew; the handler has it by
 * `@CurrentSession()`, and where nobody has set `request.user` that is `{ id, tenantId }` of the session.
 *
 * No session: 401. Redis gives no answer: 503 with `Retry-After`, and nobody is let pass. Both are {@link SessionRefusedException}. A session whose data
 * can't be read, for its encryption key is gone, is none. Gateways of web sockets and microservices bring no request with headers: they are refused.
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
    const request: SessionRequest | undefined = requestOf(context)
    // This guard may stand in several places, and a GraphQL query has many fields.
    if (request !== undefined && sessionOf(request) !== undefined && !isUpgraded(request)) return true
    const id = request?.headers && this.settings.idOf(request.headers)
    const session = id === undefined ? null : await this.find(id, context)
    if (request !== undefined) keepSession(request, session)
    if (session === null && !this.settings.optional(context)) {
      const { challenge } = this.settings
      const headers: Record<string, string> = challenge === undefined ? {} : { 'WWW-Authenticate': challenge }
      throw await refusal(context, new SessionRefusedException('SESSION_REQUIRED'), headers)
    }
    return true
  }

  private async find(id: string, context: ExecutionContext): Promise<Session<unknown> | null> {
    try {
      return await this.sessions.get(id)
    } catch (cause) {
      if (cause instanceof SerializationError) return this.tell(cause)
      if (!(cause instanceof SessionUnavailableError)) throw cause
      const refused = new SessionRefusedException('SESSION_UNAVAILABLE', { cause })
      throw await refusal(context, refused, { 'Retry-After': String(refused.retryAfter) })
    }
  }

  private tell({ message }: SerializationError): null {
    if (!this.told) this.logger.warn(`sessions that can't be read are ended by a new log-in: ${message}`)
    this.told = true
    return null
  }
}

/** That of a web socket, over which GraphQL may ask for hours: each time anew, for a log-out must be seen. */
function isUpgraded({ headers }: SessionRequest): boolean {
  return headers?.['upgrade'] !== undefined
}

async function refusal(
  context: ExecutionContext,
  refused: SessionRefusedException,
  headers: Readonly<Record<string, string>>,
): Promise<Error> {
  const response = httpReplyOf(context)
  if (response !== undefined) announceProblem(response, headers)
  return transportError(context.getType(), refused)
}
