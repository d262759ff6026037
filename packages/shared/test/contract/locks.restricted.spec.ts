import { restrictedLocks } from '../support/lock-backends.js'
import { locksContract } from './locks.contract.js'

locksContract('Redis under a restricted user', restrictedLocks)
