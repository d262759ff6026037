import { publishedRevocations } from '../support/jwt-backends.js'
import { jwtStoreContract } from './jwt-store.contract.js'

jwtStoreContract('Redis without tracking', publishedRevocations)
