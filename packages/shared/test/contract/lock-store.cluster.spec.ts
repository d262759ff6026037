import { clusterLocks } from '../support/lock-backends.js'
import { lockStoreContract } from './lock-store.contract.js'

lockStoreContract('a Cluster', clusterLocks)
