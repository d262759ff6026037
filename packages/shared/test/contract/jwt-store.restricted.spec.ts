import { restrictedRevocations } from '../support/jwt-backends.js'
import { jwtStoreContract } from './jwt-store.contract.js'

jwtStoreContract('Redis under a restricted user', restrictedRevocations)
