import { z } from 'zod'

/** Where an invoice is in its life. A draft has no number; from `ISSUED` on it has one, for ever. */
export const invoiceStatus = z.enum(['DRAFT', 'ISSUED', 'PAID', 'VOID'])
export type InvoiceStatus = z.infer<typeof invoiceStatus>

const next: Readonly<Record<InvoiceStatus, readonly InvoiceStatus[]>> = {
  DRAFT: ['ISSUED'],
  ISSUED: ['PAID', 'VOID'],
  PAID: [],
  VOID: [],
}

/** Whether an invoice may go from one status to the other. */
export const mayBecome = (from: InvoiceStatus, to: InvoiceStatus): boolean => next[from].includes(to)
