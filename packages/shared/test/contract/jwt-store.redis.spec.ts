import { redisRevocations } from '../support/jwt-backends.js'
import { jwtStoreContract } from './jwt-store.contract.js'

jwtStoreContract('a standalone Redis', redisRevocations)
