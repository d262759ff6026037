import { restrictedMessages } from '../support/pubsub-backends.js'
import { pubSubStoreContract } from './pubsub-store.contract.js'

pubSubStoreContract('Redis under a restricted user', restrictedMessages)
