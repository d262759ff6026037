import { restrictedSessions } from '../support/session-backends.js'
import { sessionStoreContract } from './session-store.contract.js'

sessionStoreContract('Redis under a restricted user', restrictedSessions)
