import { publishedBackend } from '../support/store-backends.js'
import { cacheStoreContract } from './cache-store.contract.js'

cacheStoreContract('Redis without tracking', publishedBackend)
