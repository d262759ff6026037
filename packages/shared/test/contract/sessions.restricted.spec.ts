import { restrictedSessions } from '../support/session-backends.js'
import { sessionsContract } from './sessions.contract.js'

sessionsContract('Redis under a restricted user', restrictedSessions)
