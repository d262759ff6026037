import { clusterRevocations } from '../support/jwt-backends.js'
import { jwtStoreContract } from './jwt-store.contract.js'

jwtStoreContract('a Cluster', clusterRevocations)
