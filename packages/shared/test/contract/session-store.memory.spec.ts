import { memorySessions } from '../support/session-backends.js'
import { sessionStoreContract } from './session-store.contract.js'

sessionStoreContract('memory', memorySessions)
