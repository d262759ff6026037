import { runService } from '@vextrus/service-kit'
import { readGatewayConfig } from './config.js'
import { apiGateway } from './service.js'

/** Starts the gateway. The only reader of `process.env`. */
await runService(apiGateway, () => readGatewayConfig(process.env, 3003))
