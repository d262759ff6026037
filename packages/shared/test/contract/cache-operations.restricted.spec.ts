import { restrictedCaches } from '../support/cache-backends.js'
import { cacheOperationsContract } from './cache-operations.contract.js'

cacheOperationsContract('Redis under a restricted user', restrictedCaches)
