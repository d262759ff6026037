import { memoryLocks } from '../support/lock-backends.js'
import { lockStoreContract } from './lock-store.contract.js'

lockStoreContract('memory', memoryLocks)
