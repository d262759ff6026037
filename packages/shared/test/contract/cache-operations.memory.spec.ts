import { memoryCaches } from '../support/cache-backends.js'
import { cacheOperationsContract } from './cache-operations.contract.js'

cacheOperationsContract('memory', memoryCaches)
