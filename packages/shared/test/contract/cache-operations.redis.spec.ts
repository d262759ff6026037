import { redisCaches } from '../support/cache-backends.js'
import { cacheOperationsContract } from './cache-operations.contract.js'

cacheOperationsContract('a standalone Redis', redisCaches)
