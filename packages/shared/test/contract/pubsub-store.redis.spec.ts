import { redisMessages } from '../support/pubsub-backends.js'
import { pubSubStoreContract } from './pubsub-store.contract.js'

pubSubStoreContract('a standalone Redis', redisMessages)
