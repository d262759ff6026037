import { restrictedCaches } from '../support/cache-backends.js'
import { nearCacheContract } from './near-cache.contract.js'

nearCacheContract('Redis under a restricted user', restrictedCaches)
