import type { DatabaseConfig, RedisConfig } from '@vextrus/service-kit'
import * as kit from '../../../service-kit/test/support/test-service.js'
import type { Evaluation } from '../../src/evaluations/evaluation.schemas.js'
import type { RuleView } from '../../src/rules/rule.schemas.js'
import { rulesEngine } from '../../src/service.js'

export * from '../../../service-kit/test/support/test-service.js'

export type Body = Record<string, unknown> & {
  id: number
  items: RuleView[]
  matches: Evaluation['matches']
  detail: string
  version: number
}

export type TestService = kit.TestService<Body>

export const startTestService = (database: DatabaseConfig, redis?: RedisConfig): Promise<TestService> =>
  kit.startTestService<Body>(rulesEngine, database, redis)

/** A rule that holds for every invoice. */
export const newRule = (name: string, subject: string, changes: object = {}) => ({
  name,
  subject,
  condition: { all: [] },
  outcome: { rule: name },
  ...changes,
})
