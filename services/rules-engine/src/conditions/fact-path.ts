import { z } from 'zod'
import type { Facts } from './condition.js'

/**
 * Names that lead out of the data and into the language. Reading one would be harmless – only own properties are looked at –, but nobody who
 * means well writes them.
 */
const FORBIDDEN = new Set(['__proto__', 'prototype', 'constructor'])

/** `invoice.lines.0.amount`: names of fields, and positions in lists, from 0. */
export const factPath = z
  .string()
  .max(200)
  .regex(
    /^[A-Za-z_][\w-]{0,63}(\.([A-Za-z_][\w-]{0,63}|\d{1,4})){0,7}$/,
    'must be up to 8 names or positions with dots between them, such as "invoice.lines.0.amount"',
  )
  .refine((path) => !path.split('.').some((name) => FORBIDDEN.has(name)), 'must not lead into the language')
  .meta({ example: 'invoice.total' })

/** A function that reads one path of any facts; undefined where it leads nowhere. Only own properties are followed. */
export function readerOf(path: string): (facts: Facts) => unknown {
  const names = path.split('.')
  return (facts) => {
    let at: unknown = facts
    for (const name of names) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
      at = (at as Record<string, unknown>)[name]
    }
    return at
  }
}
