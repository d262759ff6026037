import { amount, idField, label, pageOf } from '@vextrus/service-kit'
import { z } from 'zod'
import type { Customer } from './customer.entity.js'

/** Input and output of the customer endpoints: checked at run time, and the source of the OpenAPI document. */

const iso = (length: number, example: string) =>
  z
    .string()
    .regex(new RegExp(`^[A-Z]{${length}}$`), `must be ${length} capital letters`)
    .meta({ example })

export const customerSchema = z.object({
  id: idField,
  tenantId: z.string(),
  code: z.string().meta({ example: 'C00001' }),
  name: z.string(),
  email: z.string(),
  countryCode: iso(2, 'DE'),
  currencyCode: iso(3, 'EUR'),
  taxNumber: z.string().nullable(),
  creditLimit: amount,
  isActive: z.boolean(),
  version: z.number().int().meta({ description: 'Grows by one with every change' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type CustomerView = z.infer<typeof customerSchema>

/** What answers carry and the cache holds: plain JSON data. */
export function customerView(customer: Customer): CustomerView {
  return {
    id: customer.id,
    tenantId: customer.tenantId,
    code: customer.code,
    name: customer.name,
    email: customer.email,
    countryCode: customer.countryCode,
    currencyCode: customer.currencyCode,
    taxNumber: customer.taxNumber,
    creditLimit: customer.creditLimit,
    isActive: customer.isActive,
    version: customer.version,
    updatedAt: customer.updatedAt.toISOString(),
  }
}

const fields = {
  name: label(200),
  email: z.email().max(254),
  countryCode: iso(2, 'DE'),
  taxNumber: label(40).nullable(),
  creditLimit: amount,
  isActive: z.boolean(),
}

export const customerInput = z.strictObject({
  ...fields,
  code: label(20),
  taxNumber: fields.taxNumber.default(null),
  creditLimit: fields.creditLimit.default('0'),
  isActive: fields.isActive.default(true),
})
export type CustomerInput = z.infer<typeof customerInput>

export const customerChanges = z
  .strictObject(fields)
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'name at least one field to change')
export type CustomerChanges = z.infer<typeof customerChanges>

export const customerPage = pageOf(customerSchema)
