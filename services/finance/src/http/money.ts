import { z } from 'zod'

/**
 * Money is a whole number of the currency's minor units (cents, paisa; yen have none), from the input to the `bigint` column and back: no float
 * ever rounds it. Every bound below keeps sums under 2^53, where JSON's numbers stop being exact.
 */
export const minorUnits = z
  .number()
  .int()
  .min(0)
  .max(1_000_000_000)
  .meta({ description: 'Minor units of the currency: 1250 are 12.50 USD', example: 1_250 })

/** What was added up, and may be below zero. */
export const minorUnitsSum = z.number().int().meta({ description: 'Minor units of the currency', example: 125_000 })

/** Of a `bigint` column, which the driver hands over as text. The tables hold nothing above 2^53 in those that use it. */
export const exactNumber = {
  to: (value: number): number => value,
  from: (value: string): number => Number(value),
}
