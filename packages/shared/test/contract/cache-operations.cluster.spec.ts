import { clusterCaches } from '../support/cache-backends.js'
import { cacheOperationsContract } from './cache-operations.contract.js'

cacheOperationsContract('a Cluster', clusterCaches)
