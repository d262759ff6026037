import { memoryCaches } from '../support/cache-backends.js'
import { nearCacheContract } from './near-cache.contract.js'

nearCacheContract('memory', memoryCaches)
