import { memoryMessages } from '../support/pubsub-backends.js'
import { pubSubStoreContract } from './pubsub-store.contract.js'

pubSubStoreContract('memory', memoryMessages)
