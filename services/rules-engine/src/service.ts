import type { ServiceDefinition } from '@vextrus/service-kit'
import { ConfigurationModule } from './configuration/configuration.module.js'
import { database } from './database/database.js'
import { EvaluationsModule } from './evaluations/evaluations.module.js'
import { FlagsModule } from './flags/flags.module.js'
import { LatencyModule } from './latency/latency.module.js'
import { RulesModule } from './rules/rules.module.js'

/** The rules engine: what is its own. */
export const rulesEngine: ServiceDefinition = {
  name: 'rules-engine',
  title: 'Vextrus rules engine',
  description: 'Rules, configuration and feature flags of the ERP’s tenants. Tenant data needs the header x-tenant-id.',
  tenancy: {
    required: true,
    // The entry that `GET /latency` measures, which belongs to nobody.
    global: ['latency'],
  },
  cache: {
    // Nothing here writes to what it has read, so every reader of an entry gets the same object: no copies, and conditions are compiled once.
    l1: { values: 'frozen' },
  },
  ownKeys: ['rules:*', 'rule-list:*', 'config:*', 'flag:*', 'latency:*'],
  database,
  features: [RulesModule, EvaluationsModule, ConfigurationModule, FlagsModule, LatencyModule],
}
