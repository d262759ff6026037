import { clusterBackend } from '../support/store-backends.js'
import { cacheStoreContract } from './cache-store.contract.js'

cacheStoreContract('a Cluster', clusterBackend)
