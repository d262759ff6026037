import { idField, label, pageOf, pageQuery, slug, versionField } from '@vextrus/service-kit'
import { z } from 'zod'
import { conditionField } from '../conditions/condition.schema.js'
import { within } from '../http/json.js'
import type { Rule } from './rule.entity.js'

/** Input and output of the rule endpoints: checked at run time, and the source of the OpenAPI document. */

export const subjectField = slug('invoice.approval')

const outcome = z
  .record(z.string().min(1).max(100), z.unknown())
  .superRefine(within({ maxDepth: 8, maxBytes: 8_192 }))
  .meta({ description: 'Handed on as it is', example: { approver: 'cfo' } })

const fields = {
  name: label(100),
  priority: z.number().int().min(-1_000).max(1_000).meta({ description: 'Higher ones first' }),
  condition: conditionField,
  outcome,
  enabled: z.boolean(),
}

export const ruleSchema = z.object({
  id: idField,
  tenantId: z.string(),
  subject: subjectField,
  ...fields,
  version: versionField.meta({ description: 'Grows by one with every change' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type RuleView = z.infer<typeof ruleSchema>

/** What answers carry: plain JSON data. */
export function ruleView(rule: Rule): RuleView {
  const { id, tenantId, subject, name, priority, condition, outcome, enabled, version, updatedAt } = rule
  return {
    id,
    tenantId,
    subject,
    name,
    priority,
    condition,
    outcome,
    enabled,
    version,
    updatedAt: updatedAt.toISOString(),
  }
}

export const ruleInput = z.strictObject({
  ...fields,
  subject: subjectField,
  priority: fields.priority.default(0),
  enabled: fields.enabled.default(true),
})
export type RuleInput = z.infer<typeof ruleInput>

export const ruleChanges = z
  .strictObject(fields)
  .partial()
  .extend({ version: versionField.meta({ description: 'The one that the changes were made from' }) })
  .refine((changes) => Object.keys(changes).length > 1, 'name at least one field to change')
export type RuleChanges = z.infer<typeof ruleChanges>

/** Turns all rules of a subject on or off, or all rules of the tenant. */
export const ruleSwitch = z.strictObject({ enabled: z.boolean(), subject: subjectField.optional() })
export type RuleSwitch = z.infer<typeof ruleSwitch>

export const ruleSwitchResult = z.object({ changed: z.number().int() })

export const ruleListQuery = pageQuery.extend({ subject: subjectField.optional() })
export type RuleListQuery = z.infer<typeof ruleListQuery>

export const rulePage = pageOf(ruleSchema)
