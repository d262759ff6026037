import { type DatabaseDefinition, Tenant } from '@vextrus/service-kit'
import { Setting } from '../configuration/setting.entity.js'
import { Flag } from '../flags/flag.entity.js'
import { Rule } from '../rules/rule.entity.js'
import { seedData } from '../seed/seed-data.js'
import { CreateRulesEngine1764100000000 } from './migrations/1764100000000-create-rules-engine.js'

/** The tables of this service. */
export const database: DatabaseDefinition = {
  schema: 'rules_engine',
  entities: [Tenant, Rule, Setting, Flag],
  migrations: [CreateRulesEngine1764100000000],
  seed: seedData,
}
