import { z } from 'zod'

/** What a client calls its wish, so that it can send it again when it got no answer: an order line, a payment's id. */
export const reference = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/, 'must be 1 to 100 letters, digits or . _ : / -')
  .meta({ description: 'Asked for twice, it is done once', example: 'order-4711/1' })

export const repeated = z.boolean().meta({ description: 'It had been done before, and was not done again' })
