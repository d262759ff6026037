import { memoryLocks } from '../support/lock-backends.js'
import { locksContract } from './locks.contract.js'

locksContract('memory', memoryLocks)
