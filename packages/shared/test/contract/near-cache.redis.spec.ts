import { redisCaches } from '../support/cache-backends.js'
import { nearCacheContract } from './near-cache.contract.js'

nearCacheContract('a standalone Redis', redisCaches)
