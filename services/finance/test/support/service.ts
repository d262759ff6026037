import type { DatabaseConfig, RedisConfig } from '@vextrus/service-kit'
import * as kit from '../../../service-kit/test/support/test-service.js'
import type { InvoiceView } from '../../src/invoices/invoice.schemas.js'
import { finance } from '../../src/service.js'

export * from '../../../service-kit/test/support/test-service.js'

export type Body = Record<string, unknown> & {
  id: number
  items: InvoiceView[]
  detail: string
  version: number
  number: string | null
  balance: number
  quantity: number
}

export type TestService = kit.TestService<Body>

export const startTestService = (database: DatabaseConfig, redis?: RedisConfig): Promise<TestService> =>
  kit.startTestService<Body>(finance, database, redis)

/** One line of 12.50. */
export const lines = [{ description: 'Claw hammer', quantity: 1, unitPrice: 1_250 }]

/** Adds a draft of a new customer of its own, so that tests don't disturb each other; answers both ids. */
export async function newDraft(api: Pick<TestService, 'send'>): Promise<{ id: number; customerId: number }> {
  const customer = await api.send('POST', '/customers', { name: 'A new customer' })
  const invoice = await api.send('POST', '/invoices', { customerId: customer.body.id, lines })
  if (invoice.status !== 201) throw new Error(`No draft: ${invoice.status} ${invoice.body.detail}`)
  return { id: invoice.body.id, customerId: customer.body.id }
}

/** Asks again when the lock was not to be had in time, as clients do: a very busy machine is no fault of what is tested. */
export async function sendPatiently(
  { client }: Pick<TestService, 'client'>,
  method: string,
  path: string,
  body?: object,
) {
  for (;;) {
    const answer = await client.send(method, path, kit.TENANT, body)
    if ((answer.body as { code?: unknown } | undefined)?.code !== 'LOCK_TIMEOUT') return answer
  }
}
