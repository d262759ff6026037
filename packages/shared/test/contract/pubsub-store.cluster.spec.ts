import { clusterMessages } from '../support/pubsub-backends.js'
import { pubSubStoreContract } from './pubsub-store.contract.js'

// One Cluster for both: the suite that runs last ends it.
const clients = clusterMessages()
pubSubStoreContract('a Cluster, with sharded channels', async () => (await clients).sharded)
pubSubStoreContract('a Cluster', async () => (await clients).classic)
