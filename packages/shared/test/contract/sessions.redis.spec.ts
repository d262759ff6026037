import { redisSessions } from '../support/session-backends.js'
import { sessionsContract } from './sessions.contract.js'

sessionsContract('a standalone Redis', redisSessions)
