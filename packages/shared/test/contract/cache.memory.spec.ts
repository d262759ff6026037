import { memoryCaches } from '../support/cache-backends.js'
import { cacheContract } from './cache.contract.js'

cacheContract('memory', memoryCaches)
