import { idField } from '@vextrus/service-kit'
import { z } from 'zod'
import { subjectField } from '../rules/rule.schemas.js'

export const evaluationInput = z.strictObject({
  subject: subjectField,
  facts: z
    .record(z.string(), z.unknown())
    .meta({ description: 'What is known; amounts are numbers', example: { invoice: { total: 1_500 } } }),
})
export type EvaluationInput = z.infer<typeof evaluationInput>

/** At most 200 at a time. */
export const evaluationBatch = z.strictObject({ evaluations: z.array(evaluationInput).min(1).max(200) })

export const evaluationSchema = z.object({
  subject: subjectField,
  evaluated: z.number().int().meta({ description: 'Rules in force that were looked at' }),
  matches: z
    .array(
      z.object({
        ruleId: idField,
        name: z.string(),
        priority: z.number().int(),
        version: z.number().int(),
        outcome: z.record(z.string(), z.unknown()),
      }),
    )
    .meta({ description: 'The rules that hold, highest priority first' }),
})
export type Evaluation = z.infer<typeof evaluationSchema>
