import type { Session } from '../session.js'

/** What requests of Express and Fastify have in common. */
export interface SessionRequest {
  readonly headers?: Readonly<Record<string, unknown>>
  user?: unknown
}

interface Kept {
  readonly session: Session<unknown>
  /** What `request.user` was set to. */
  readonly user: object
}

/** Not on the request itself: `request.session` is express-session's, and a session's id has no place where requests are logged. */
const sessions = new WeakMap<object, Kept>()

/** @param session null: there is none any more */
export function keepSession(request: SessionRequest, session: Session<unknown> | null): void {
  const before = sessions.get(request)
  if (before !== undefined && request.user === before.user) request.user = undefined
  sessions.delete(request)
  if (session === null) return
  const user = { id: session.userId, tenantId: session.tenantId }
  sessions.set(request, { session, user })
  request.user ??= user
}

/** The session that `SessionGuard` found for a request; undefined: none. */
export function sessionOf(request: object): Session<unknown> | undefined {
  return sessions.get(request)?.session
}
