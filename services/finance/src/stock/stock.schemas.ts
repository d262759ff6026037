import { label, pageOf } from '@vextrus/service-kit'
import { z } from 'zod'
import { reference, repeated } from '../http/references.js'
import type { StockItem } from './stock.entities.js'

/** Input and output of the stock endpoints: checked at run time, and the source of the OpenAPI document. */

export const skuField = z
  .string()
  .regex(/^[A-Z0-9]+(-[A-Z0-9]+)*$/, 'must be capital letters and digits, with dashes between them')
  .max(40)
  .meta({ example: 'TOOL-1' })

const pieces = z.number().int().min(1).max(1_000_000_000)

export const stockItemSchema = z.object({
  tenantId: z.string(),
  sku: skuField,
  name: z.string(),
  quantity: z.number().int().min(0),
})
export type StockItemView = z.infer<typeof stockItemSchema>

/** What answers carry and the cache holds: plain JSON data. */
export const stockItemView = ({ tenantId, sku, name, quantity }: StockItem): StockItemView => ({
  tenantId,
  sku,
  name,
  quantity,
})

export const stockItemInput = z.strictObject({ sku: skuField, name: label(200) })
export type StockItemInput = z.infer<typeof stockItemInput>

export const stockRequest = z.strictObject({ reference, quantity: pieces })

export const stockResult = z.object({
  sku: skuField,
  reference,
  quantity: z.number().int().meta({ description: 'Below zero: it went' }),
  remaining: z.number().int().min(0).meta({ description: 'What was there afterwards, at that time' }),
  repeated,
})

export const stockPage = pageOf(stockItemSchema)
