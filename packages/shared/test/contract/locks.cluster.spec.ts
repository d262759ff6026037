import { clusterLocks } from '../support/lock-backends.js'
import { locksContract } from './locks.contract.js'

locksContract('a Cluster', clusterLocks)
