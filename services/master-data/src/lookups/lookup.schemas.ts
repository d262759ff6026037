import { idField } from '@vextrus/service-kit'
import { z } from 'zod'

export const countrySchema = z.object({
  code: z.string().meta({ description: 'ISO 3166-1 alpha-2', example: 'DE' }),
  code3: z.string().meta({ description: 'ISO 3166-1 alpha-3', example: 'DEU' }),
  name: z.string(),
  nativeName: z.string(),
  capital: z.string().nullable(),
  continent: z.string(),
  currencyCodes: z.array(z.string()),
  callingCodes: z.array(z.string()),
  isOfficial: z.boolean().meta({ description: 'One of the 249 codes of ISO 3166-1' }),
  isActive: z.boolean().meta({ description: 'Whether goods can be sold or shipped there' }),
})

export const currencySchema = z.object({
  code: z.string().meta({ description: 'ISO 4217', example: 'EUR' }),
  numericCode: z.string(),
  name: z.string(),
  symbol: z.string(),
  decimals: z.number().int(),
  isActive: z.boolean().meta({ description: 'False for codes that ISO has withdrawn' }),
})

export const taxCodeSchema = z.object({
  code: z.string().meta({ example: 'DE-VAT-19' }),
  countryCode: z.string(),
  kind: z.enum(['VAT', 'GST', 'SALES']),
  name: z.string(),
  rate: z.string().meta({ description: 'Percent', example: '19.00' }),
  isDefault: z.boolean(),
})

export const countryCodeParam = z
  .string()
  .regex(/^[A-Za-z]{2}$/, 'must be two letters')
  .transform((code) => code.toUpperCase())

export const taxCodeQuery = z.object({ country: countryCodeParam.optional() })

export const categorySchema = z.object({
  id: idField,
  tenantId: z.string(),
  code: z.string(),
  name: z.string(),
})

export const supplierSchema = z.object({
  id: idField,
  tenantId: z.string(),
  name: z.string(),
  email: z.string(),
  countryCode: z.string(),
  leadTimeDays: z.number().int(),
})
