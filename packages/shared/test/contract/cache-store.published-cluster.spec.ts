import { publishedClusterBackend } from '../support/store-backends.js'
import { cacheStoreContract } from './cache-store.contract.js'

cacheStoreContract('a Cluster without tracking', publishedClusterBackend)
