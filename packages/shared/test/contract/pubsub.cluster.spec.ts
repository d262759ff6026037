import { clusterMessages } from '../support/pubsub-backends.js'
import { pubSubStoreContract } from './pubsub-store.contract.js'
import { pubSubContract } from './pubsub.contract.js'

// One Cluster for all four.
const backend = clusterMessages(4)
for (const sharded of [false, true]) {
  const name = sharded ? 'a Cluster, with sharded channels' : 'a Cluster'
  pubSubStoreContract(name, () => backend(sharded))
  pubSubContract(name, () => backend(sharded))
}
