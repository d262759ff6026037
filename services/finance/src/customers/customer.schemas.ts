import { idField, label, pageOf } from '@vextrus/service-kit'
import { z } from 'zod'
import type { Customer } from './customer.entity.js'

/** Input and output of the customer endpoints: checked at run time, and the source of the OpenAPI document. */

export const customerSchema = z.object({ id: idField, tenantId: z.string(), name: z.string() })
export type CustomerView = z.infer<typeof customerSchema>

export const customerView = ({ id, tenantId, name }: Customer): CustomerView => ({ id, tenantId, name })

export const customerInput = z.strictObject({ name: label(200) })
export type CustomerInput = z.infer<typeof customerInput>

export const customerPage = pageOf(customerSchema)

export const customerDeletion = z.object({
  deletedDrafts: z.number().int(),
  voidedInvoices: z.number().int().meta({ description: 'They had a number, which is theirs for ever' }),
})
export type CustomerDeletion = z.infer<typeof customerDeletion>
