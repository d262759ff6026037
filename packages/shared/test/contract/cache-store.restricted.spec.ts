import { restrictedBackend } from '../support/store-backends.js'
import { cacheStoreContract } from './cache-store.contract.js'

cacheStoreContract('Redis under a restricted user', restrictedBackend)
