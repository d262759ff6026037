import { redisLocks } from '../support/lock-backends.js'
import { lockStoreContract } from './lock-store.contract.js'

lockStoreContract('a standalone Redis', redisLocks)
