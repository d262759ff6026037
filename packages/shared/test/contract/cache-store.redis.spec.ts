import { redisBackend } from '../support/store-backends.js'
import { cacheStoreContract } from './cache-store.contract.js'

cacheStoreContract('a standalone Redis', redisBackend)
