import { memorySessions } from '../support/session-backends.js'
import { sessionsContract } from './sessions.contract.js'

sessionsContract('memory', memorySessions)
