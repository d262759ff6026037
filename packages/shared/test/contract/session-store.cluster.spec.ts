import { clusterSessions } from '../support/session-backends.js'
import { sessionStoreContract } from './session-store.contract.js'

sessionStoreContract('a Cluster', clusterSessions)
