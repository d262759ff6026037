import { label, pageOf, slug, versionField } from '@vextrus/service-kit'
import { z } from 'zod'
import type { Flag } from './flag.entity.js'

/** Input and output of the flag endpoints: checked at run time, and the source of the OpenAPI document. */

export const flagKey = slug('new-checkout')

/** Whom a flag is asked for: the id of a user, a document, a device. */
const subject = label(200).meta({ example: 'user-4711' })

const variants = z
  .array(z.strictObject({ name: slug('blue'), weight: z.number().int().min(1).max(1_000) }))
  .max(20)
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, 'must have different names')

const fields = {
  enabled: z.boolean().meta({ description: 'False: off for everybody' }),
  rollout: z
    .number()
    .min(0)
    .max(100)
    .refine((percent) => Math.abs(Math.round(percent * 100) - percent * 100) < 1e-9, 'must have two decimals at most')
    .meta({ description: 'Percent of the subjects', example: 12.5 }),
  variants,
  allowList: z.array(subject).max(1_000).meta({ description: 'Subjects for whom it is on in any case' }),
}

export const flagSchema = z.object({
  tenantId: z.string(),
  key: flagKey,
  ...fields,
  version: versionField.meta({ description: 'Grows by one with every change' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type FlagView = z.infer<typeof flagSchema>

/** What answers carry and the cache holds: plain JSON data. */
export function flagView(flag: Flag): FlagView {
  const { tenantId, key, enabled, rollout, variants, allowList, version, updatedAt } = flag
  return { tenantId, key, enabled, rollout, variants, allowList, version, updatedAt: updatedAt.toISOString() }
}

export const flagInput = z.strictObject({
  ...fields,
  key: flagKey,
  rollout: fields.rollout.default(0),
  variants: variants.default([]),
  allowList: fields.allowList.default([]),
})
export type FlagInput = z.infer<typeof flagInput>

export const flagChanges = z
  .strictObject(fields)
  .partial()
  .extend({ version: versionField.meta({ description: 'The one that the changes were made from' }) })
  .refine((changes) => Object.keys(changes).length > 1, 'name at least one field to change')
export type FlagChanges = z.infer<typeof flagChanges>

export const flagPage = pageOf(flagSchema)

export const flagSubjectQuery = z.object({ subject })

export const flagEvaluationSchema = z.object({
  key: flagKey,
  subject: z.string(),
  enabled: z.boolean(),
  reason: z.enum(['off', 'allow-list', 'rollout']),
  variant: z.string().nullable().meta({ description: 'Null: it is off, or has no variants' }),
})
export type FlagEvaluation = z.infer<typeof flagEvaluationSchema>
