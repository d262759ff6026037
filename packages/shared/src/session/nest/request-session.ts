import type { ExecutionContext } from '@nestjs/common'
import type { Session } from '../session.js'

/** What requests of Express and Fastify have in common. */
export interface SessionRequest {
  readonly headers?: Readonly<Record<string, unknown>>
  user?: unknown
}

/** Not on the request itself: `request.session` is express-session's, and a session's id has no place where requests are logged. */
const sessions = new WeakMap<object, Session<unknown>>()

export function keepSession(request: SessionRequest, session: Session<unknown>): void {
  sessions.set(request, session)
  request.user ??= { id: session.userId, tenantId: session.tenantId }
}

/** The session that `SessionGuard` found for a request; undefined: none. */
export function sessionOf(request: object): Session<unknown> | undefined {
  return sessions.get(request)
}

/** The request behind a handler; undefined: there is none with headers. */
export function requestOf(context: ExecutionContext): SessionRequest | undefined {
  const args = context.getArgs<unknown[]>()
  switch (context.getType<string>()) {
    case 'http':
      return asRequest(args[0])
    case 'graphql': {
      // A resolver of references has no arguments before the context. Mercurius gives the reply.
      const given = args[args.length === 3 ? 1 : 2] as GraphqlContext | null | undefined
      return asRequest(given?.req ?? given?.request ?? given?.reply?.request)
    }
    default:
      return undefined
  }
}

interface GraphqlContext {
  readonly req?: unknown
  readonly request?: unknown
  readonly reply?: { readonly request?: unknown } | null
}

function asRequest(given: unknown): SessionRequest | undefined {
  return typeof given === 'object' && given !== null ? given : undefined
}
