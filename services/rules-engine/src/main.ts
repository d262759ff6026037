import { readServiceConfig, runService } from '@vextrus/service-kit'
import { rulesEngine } from './service.js'

/** Starts the service. The only reader of `process.env`. */
await runService(rulesEngine, () => readServiceConfig(process.env, 3001))
