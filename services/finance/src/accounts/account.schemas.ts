import { label, pageOf, slug } from '@vextrus/service-kit'
import { z } from 'zod'
import { minorUnits, minorUnitsSum } from '../http/money.js'
import { reference, repeated } from '../http/references.js'
import type { Account, Posting } from './account.entities.js'

/** Input and output of the account endpoints: checked at run time, and the source of the OpenAPI document. */

export const accountCode = slug('bank')

export const accountSchema = z.object({
  tenantId: z.string(),
  code: accountCode,
  name: z.string(),
  mayBeNegative: z.boolean(),
  balance: minorUnitsSum,
})
export type AccountView = z.infer<typeof accountSchema>

/** What answers carry and the cache holds: plain JSON data. */
export const accountView = ({ tenantId, code, name, mayBeNegative, balance }: Account): AccountView => ({
  tenantId,
  code,
  name,
  mayBeNegative,
  balance,
})

export const accountInput = z.strictObject({
  code: accountCode,
  name: label(200),
  mayBeNegative: z.boolean().default(false).meta({ description: 'True for where money comes from, such as revenue' }),
})
export type AccountInput = z.infer<typeof accountInput>

export const postingSchema = z.object({
  reference,
  amount: minorUnitsSum.meta({ description: 'Minor units; below zero: it went from the account' }),
})
export type PostingView = z.infer<typeof postingSchema>
export const postingView = ({ reference, amount }: Posting): PostingView => ({ reference, amount })

export const transferRequest = z
  .strictObject({ reference, from: accountCode, to: accountCode, amount: minorUnits.min(1) })
  .refine(({ from, to }) => from !== to, 'from and to must be two accounts')

export const transferResult = z.object({ reference, from: accountCode, to: accountCode, amount: minorUnits, repeated })

export const accountPage = pageOf(accountSchema)
export const postingPage = pageOf(postingSchema)
