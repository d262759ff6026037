import { redisLimits } from '../support/limit-backends.js'
import { rateLimitStoreContract } from './rate-limit-store.contract.js'

rateLimitStoreContract('a standalone Redis', redisLimits)
