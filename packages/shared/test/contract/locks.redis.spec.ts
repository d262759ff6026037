import { redisLocks } from '../support/lock-backends.js'
import { locksContract } from './locks.contract.js'

locksContract('a standalone Redis', redisLocks)
