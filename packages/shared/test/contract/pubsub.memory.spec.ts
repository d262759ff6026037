import { memoryMessages } from '../support/pubsub-backends.js'
import { pubSubContract } from './pubsub.contract.js'

pubSubContract('memory', memoryMessages)
