import { publishedCaches } from '../support/cache-backends.js'
import { cacheOperationsContract } from './cache-operations.contract.js'

cacheOperationsContract('Redis without tracking', publishedCaches)
