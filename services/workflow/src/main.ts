import { readServiceConfig, runService } from '@vextrus/service-kit'
import { workflow } from './service.js'

/** Starts the service. The only reader of `process.env`. */
await runService(workflow, () => readServiceConfig(process.env, 3005))
