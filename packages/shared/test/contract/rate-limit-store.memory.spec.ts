import { memoryLimits } from '../support/limit-backends.js'
import { rateLimitStoreContract } from './rate-limit-store.contract.js'

rateLimitStoreContract('memory', memoryLimits)
