import { redisMessages } from '../support/pubsub-backends.js'
import { pubSubContract } from './pubsub.contract.js'

pubSubContract('a standalone Redis', redisMessages)
