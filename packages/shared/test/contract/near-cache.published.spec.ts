import { publishedCaches } from '../support/cache-backends.js'
import { nearCacheContract } from './near-cache.contract.js'

nearCacheContract('Redis that refuses tracking', publishedCaches, { hearsAll: false })
