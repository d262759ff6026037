import { memoryBackend } from '../support/store-backends.js'
import { cacheStoreContract } from './cache-store.contract.js'

cacheStoreContract('memory', memoryBackend)
