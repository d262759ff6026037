import { clusterSessions } from '../support/session-backends.js'
import { sessionsContract } from './sessions.contract.js'

sessionsContract('a Cluster', clusterSessions)
