import type { ConfiguredService, ServiceDefinition } from '@vextrus/service-kit'
import type { GatewayConfig } from './config.js'
import { GatewayModule } from './gateway.module.js'
import { TenantPlans } from './limits/tenant-plans.js'

/** The API gateway: what is its own. */
export const apiGateway: ConfiguredService<GatewayConfig> = {
  name: 'api-gateway',
  definitionOf: (config): ServiceDefinition => {
    const plans = new TenantPlans(config.plans)
    return {
      name: 'api-gateway',
      title: 'Vextrus API',
      description:
        'The front door of the ERP. Needs a token but for the lookups: `POST /auth/login`. Whatever is not listed here is passed on to the service that its first segment names.',
      tenancy: {
        required: true,
        // Lookups are cached for callers without a token too. The keys of answers are made by `@CacheResponse`, which puts the tenant into
        // every one of a caller that has one.
        global: ['response'],
      },
      cache: {
        // Whoever has written through one replica reads through every other what was written: a hit of the memory asks Redis first whether
        // anything changed. Nothing changes what it has read.
        l1: { staleness: 'strict', values: 'frozen' },
        rateLimit: { plan: plans.limits },
        jwt: { onUnavailable: config.revocations.whenUnknown === 'accept' ? 'allow' : 'throw' },
      },
      ownKeys: ['response:*'],
      parsesBodies: false,
      features: [GatewayModule.with(config, plans)],
    }
  },
}
