import { z } from 'zod'
import type { Condition } from './condition.js'
import { conditionFaults, MAX_DEPTH, MAX_PARTS } from './condition-faults.js'

/** A condition in a request's body, and in the OpenAPI document. */
export const conditionField = z
  .record(z.string(), z.unknown())
  .superRefine((value, context) => {
    for (const { path, message } of conditionFaults(value))
      context.addIssue({ code: 'custom', path: [...path], message })
  })
  .meta({
    description:
      `{"all": […]}, {"any": […]} or {"not": …} over comparisons of facts: eq, ne, gt, gte, lt, lte with "value" (or {"fact": …}), ` +
      `in and notIn with "values", between with "from" and "to", exists. At most ${MAX_PARTS} parts, ${MAX_DEPTH} levels deep.`,
    example: { all: [{ fact: 'invoice.total', op: 'gt', value: 1_000 }] },
  }) as unknown as z.ZodType<Condition>
