import { readServiceConfig, runService } from '@vextrus/service-kit'
import { finance } from './service.js'

/** Starts the service. The only reader of `process.env`. */
await runService(finance, () => readServiceConfig(process.env, 3002))
