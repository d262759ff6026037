import { amount, idField, idParam, label, pageOf, pageQuery } from '@vextrus/service-kit'
import { z } from 'zod'
import type { Product } from './product.entities.js'

/** Input and output of the product endpoints: checked at run time, and the source of the OpenAPI document. */

export const productSchema = z.object({
  id: idField,
  tenantId: z.string(),
  sku: z.string().meta({ example: 'TOOL-00001' }),
  barcode: z.string().meta({ description: 'EAN-13' }),
  name: z.string(),
  categoryId: idField,
  supplierId: idField,
  unit: z.string().meta({ example: 'pcs' }),
  unitPrice: amount,
  currencyCode: z.string().meta({ example: 'USD' }),
  taxCode: z.string().meta({ example: 'DE-VAT-19' }),
  stock: z.number().int(),
  isActive: z.boolean(),
  version: z.number().int().meta({ description: 'Grows by one with every change' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type ProductView = z.infer<typeof productSchema>

/** What answers carry and the cache holds: plain JSON data. */
export function productView(product: Product): ProductView {
  return {
    id: product.id,
    tenantId: product.tenantId,
    sku: product.sku,
    barcode: product.barcode,
    name: product.name,
    categoryId: product.categoryId,
    supplierId: product.supplierId,
    unit: product.unit,
    unitPrice: product.unitPrice,
    currencyCode: product.currencyCode,
    taxCode: product.taxCode,
    stock: product.stock,
    isActive: product.isActive,
    version: product.version,
    updatedAt: product.updatedAt.toISOString(),
  }
}

export const productSummarySchema = z
  .object({
    id: idField,
    sku: z.string(),
    name: z.string(),
    unit: z.string(),
    category: z.string(),
    supplier: z.string(),
  })
  .meta({ description: 'What a picking list shows. No price and no stock: see GET /products/{id}' })
export type ProductSummary = z.infer<typeof productSummarySchema>

const stock = z.number().int().min(0).max(1_000_000_000)

export const productInput = z.strictObject({
  sku: label(40),
  barcode: z.string().regex(/^\d{13}$/, 'must be an EAN-13: 13 digits'),
  name: label(200),
  categoryId: idField,
  supplierId: idField,
  unit: label(20),
  unitPrice: amount,
  taxCode: label(20),
  stock: stock.default(0),
  isActive: z.boolean().default(true),
})
export type ProductInput = z.infer<typeof productInput>

export const productChanges = z
  .strictObject({
    name: label(200),
    categoryId: idField,
    supplierId: idField,
    unit: label(20),
    unitPrice: amount,
    taxCode: label(20),
    stock,
    isActive: z.boolean(),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'name at least one field to change')
export type ProductChanges = z.infer<typeof productChanges>

export const priceChange = z
  .strictObject({
    categoryId: idField.optional(),
    supplierId: idField.optional(),
    percent: z.number().min(-90).max(900).meta({ example: 2.5 }),
  })
  .refine(
    ({ categoryId, supplierId }) => (categoryId === undefined) !== (supplierId === undefined),
    'name a categoryId or a supplierId, one of them',
  )
export type PriceChange = z.infer<typeof priceChange>

export const priceChangeResult = z.object({ changed: z.number().int() })

export const productListQuery = pageQuery.extend({
  categoryId: idParam.optional(),
  supplierId: idParam.optional(),
})
export type ProductListQuery = z.infer<typeof productListQuery>

export const productSearchQuery = pageQuery.extend({
  q: label(60).meta({ description: 'Part of the name or SKU', example: 'hammer' }),
})
export type ProductSearchQuery = z.infer<typeof productSearchQuery>

export const productBatchQuery = z.object({
  ids: z
    .string()
    .regex(/^[1-9]\d{0,8}(,[1-9]\d{0,8}){0,99}$/, 'must be 1 to 100 ids, separated by commas')
    .meta({ example: '1,2,3' }),
})

export const productPage = pageOf(productSchema)

export const productExport = z.object({
  tenantId: z.string(),
  exportedAt: z.string().meta({ format: 'date-time' }),
  products: z.array(productSchema),
})
