import { clusterCaches } from '../support/cache-backends.js'
import { cacheContract } from './cache.contract.js'

cacheContract('a Cluster', clusterCaches)
