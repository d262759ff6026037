import { idField, idParam, label, pageOf, pageQuery, versionField } from '@vextrus/service-kit'
import { z } from 'zod'
import { minorUnits, minorUnitsSum } from '../http/money.js'
import type { Invoice } from './invoice.entities.js'
import { invoiceStatus, mayBecome } from './invoice-status.js'

/** Input and output of the invoice endpoints: checked at run time, and the source of the OpenAPI document. */

/** 50 lines of the largest amounts are 5 × 10^15 minor units: exact. */
const line = z.strictObject({
  description: label(200),
  quantity: z.number().int().min(1).max(100_000),
  unitPrice: minorUnits,
})

export const invoiceSchema = z.object({
  id: idField,
  tenantId: z.string(),
  customerId: idField,
  number: z.string().nullable().meta({ description: 'Null: a draft', example: 'INV-00000042' }),
  status: invoiceStatus,
  currencyCode: z.string().meta({ example: 'USD' }),
  lines: z.array(line),
  total: minorUnitsSum,
  issuedAt: z.string().nullable().meta({ format: 'date-time' }),
  version: versionField.meta({ description: 'Grows by one with every change' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type InvoiceView = z.infer<typeof invoiceSchema>

/** What answers carry and the cache holds: plain JSON data. */
export function invoiceView(invoice: Invoice): InvoiceView {
  return {
    id: invoice.id,
    tenantId: invoice.tenantId,
    customerId: invoice.customerId,
    number: invoice.number,
    status: invoice.status,
    currencyCode: invoice.currencyCode,
    lines: invoice.lines,
    total: invoice.total,
    issuedAt: invoice.issuedAt?.toISOString() ?? null,
    version: invoice.version,
    updatedAt: invoice.updatedAt.toISOString(),
  }
}

export const invoiceInput = z.strictObject({ customerId: idField, lines: z.array(line).min(1).max(50) })
export type InvoiceInput = z.infer<typeof invoiceInput>

export const statusChange = z.strictObject({
  status: invoiceStatus.exclude(['DRAFT']),
  version: versionField.optional().meta({ description: 'The one that the client has seen; none: any' }),
})
export type StatusChange = z.infer<typeof statusChange>

/** How many invoices one bulk change touches. */
export const BULK_LIMIT = 1_000

export const bulkStatusChange = z
  .strictObject({
    from: invoiceStatus,
    to: invoiceStatus,
    customerId: idField.optional(),
    ids: z.array(idField).min(1).max(BULK_LIMIT).optional().meta({ description: 'Those with another status stay' }),
  })
  .refine(({ from, to }) => mayBecome(from, to), 'from may not become to: DRAFT → ISSUED → PAID or VOID')
export type BulkStatusChange = z.infer<typeof bulkStatusChange>

export const bulkStatusResult = z.object({
  changed: z.number().int(),
  more: z
    .boolean()
    .meta({ description: `There are more of them: ${BULK_LIMIT} are changed at a time, the oldest first` }),
})
export type BulkStatusResult = z.infer<typeof bulkStatusResult>

export const invoiceListQuery = pageQuery.extend({ status: invoiceStatus.optional(), customerId: idParam.optional() })
export type InvoiceListQuery = z.infer<typeof invoiceListQuery>

export const invoicePage = pageOf(invoiceSchema)
