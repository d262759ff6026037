import { runService } from '@vextrus/service-kit'
import { readAuthConfig } from './config.js'
import { auth } from './service.js'

/** Starts the service. The only reader of `process.env`. */
await runService(auth, () => readAuthConfig(process.env, 3004))
