import { restrictedLimits } from '../support/limit-backends.js'
import { rateLimitStoreContract } from './rate-limit-store.contract.js'

rateLimitStoreContract('Redis under a restricted user', restrictedLimits)
