/** What `@vextrus/shared/session` exports. */
export { SessionService } from './session.js'
export type { CreateSessionOptions, Session, SessionInfo, SessionSurroundings } from './session.js'
export type { SessionOptions } from './options.js'
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
