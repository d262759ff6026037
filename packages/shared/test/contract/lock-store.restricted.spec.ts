import { restrictedLocks } from '../support/lock-backends.js'
import { lockStoreContract } from './lock-store.contract.js'

lockStoreContract('Redis under a restricted user', restrictedLocks)
