/** What `@vextrus/shared/session` exports. */
export { SessionService } from './session.js'
export type { CreateSessionOptions, Session, SessionInfo, SessionSurroundings } from './session.js'
export type { ForeignSessionOptions, ForeignSessions } from './foreign-sessions.js'
export type { SessionOptions } from './options.js'
export type { SessionModuleOptions } from './nest/session-options.js'
export { SessionGuard } from './nest/session.guard.js'
export { type SessionGuardOptions, SessionGuardSettings } from './nest/session-guard-settings.js'
export { type SessionProblem, SessionRefusedException } from './nest/session.exception.js'
export { CurrentSession } from './nest/current-session.decorator.js'
export {
  clearSessionCookie,
  sessionCookie,
  type SessionCookieOptions,
  setSessionCookie,
} from './nest/session-cookie.js'
export { SessionConflictError, SessionNotFoundError, SessionUnavailableError } from './errors.js'
export { sessionCreated, sessionDestroyed } from './events.js'
export type {
  DestroyFilter,
  NewSession,
  SessionData,
  SessionRef,
  SessionStore,
  StoredSession,
  UserRef,
} from './session-store.js'
