import { redisCaches } from '../support/cache-backends.js'
import { cacheContract } from './cache.contract.js'

cacheContract('a standalone Redis', redisCaches)
