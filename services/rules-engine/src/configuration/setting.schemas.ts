import { pageOf, slug, versionField } from '@vextrus/service-kit'
import { z } from 'zod'
import { within } from '../http/json.js'
import type { Setting } from './setting.entity.js'

/** Input and output of the configuration endpoints: checked at run time, and the source of the OpenAPI document. */

export const settingKey = slug('invoice.payment-days')

const value = z
  .unknown()
  .superRefine(within({ maxDepth: 16, maxBytes: 65_536 }))
  .refine((value) => (value ?? undefined) !== undefined, 'must not be null: delete the key instead')
  .meta({ description: 'Any JSON but null', example: 30 })

export const settingSchema = z.object({
  tenantId: z.string(),
  key: settingKey,
  value,
  version: versionField.meta({ description: 'Grows by one with every change' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type SettingView = z.infer<typeof settingSchema>

/** What answers carry and the cache holds: plain JSON data. */
export function settingView({ tenantId, key, value, version, updatedAt }: Setting): SettingView {
  return { tenantId, key, value, version, updatedAt: updatedAt.toISOString() }
}

export const settingInput = z.strictObject({
  value,
  version: versionField.optional().meta({ description: 'The one that is replaced; none: the key is new' }),
})
export type SettingInput = z.infer<typeof settingInput>

export const settingPage = pageOf(settingSchema)
