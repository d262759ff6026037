import { restrictedMessages } from '../support/pubsub-backends.js'
import { pubSubContract } from './pubsub.contract.js'

pubSubContract('Redis under a restricted user', restrictedMessages)
