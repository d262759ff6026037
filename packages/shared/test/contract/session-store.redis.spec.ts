import { redisSessions } from '../support/session-backends.js'
import { sessionStoreContract } from './session-store.contract.js'

sessionStoreContract('a standalone Redis', redisSessions)
