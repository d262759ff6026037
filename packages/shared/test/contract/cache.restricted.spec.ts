import { restrictedCaches } from '../support/cache-backends.js'
import { cacheContract } from './cache.contract.js'

cacheContract('Redis under a restricted user', restrictedCaches)
