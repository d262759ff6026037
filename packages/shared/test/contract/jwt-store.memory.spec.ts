import { memoryRevocations } from '../support/jwt-backends.js'
import { jwtStoreContract } from './jwt-store.contract.js'

jwtStoreContract('memory', memoryRevocations)
