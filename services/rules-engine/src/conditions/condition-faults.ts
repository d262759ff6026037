import { z } from 'zod'
import type { Condition } from './condition.js'
import { factPath } from './fact-path.js'

/** Bounds of a condition: what it costs to evaluate is known before it is stored. */
export const MAX_DEPTH = 8
export const MAX_PARTS = 200
const MAX_VALUES = 200

const text = z.string().max(200)
const scalar = z.union([text, z.number(), z.boolean(), z.null()], 'must be a text, number, true, false or null')
const ordered = z.union([text, z.number()], 'must be a text or a number')
const reference = z.strictObject({ fact: factPath })
const parts = z.array(z.unknown()).max(MAX_PARTS)

const comparisons = z.discriminatedUnion('op', [
  z.strictObject({ fact: factPath, op: z.enum(['eq', 'ne']), value: z.union([scalar, reference]) }),
  z.strictObject({ fact: factPath, op: z.enum(['gt', 'gte', 'lt', 'lte']), value: z.union([ordered, reference]) }),
  z.strictObject({ fact: factPath, op: z.enum(['in', 'notIn']), values: z.array(scalar).min(1).max(MAX_VALUES) }),
  z.strictObject({ fact: factPath, op: z.literal('between'), from: ordered, to: ordered }),
  z.strictObject({ fact: factPath, op: z.literal('exists') }),
])

const groups = {
  all: z.strictObject({ all: parts }),
  any: z.strictObject({ any: parts }),
  not: z.strictObject({ not: z.unknown() }),
}

export interface ConditionFault {
  /** `['all', 0, 'value']` */
  readonly path: readonly (string | number)[]
  readonly message: string
}

interface Place {
  readonly node: unknown
  readonly path: readonly (string | number)[]
  readonly depth: number
}

/**
 * What keeps some JSON from being a condition; nothing when it is one. Each part is checked by itself, from a list and not by recursion, so that
 * a condition of ten thousand levels is refused like any other and not met by the end of the stack.
 */
export function conditionFaults(input: unknown): ConditionFault[] {
  const faults: ConditionFault[] = []
  const open: Place[] = [{ node: input, path: [], depth: 1 }]
  let seen = 0
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { node, path, depth } = place
    if (++seen > MAX_PARTS) return [{ path: [], message: `must have at most ${MAX_PARTS} parts` }]
    if (depth > MAX_DEPTH) {
      faults.push({ path, message: `must be nested at most ${MAX_DEPTH} levels deep` })
      continue
    }
    const checked = schemaOf(node).safeParse(node)
    if (checked.success) open.push(...childrenOf(node as Condition, path, depth + 1))
    else
      for (const issue of checked.error.issues)
        faults.push({ path: [...path, ...named(issue.path)], message: issue.message })
  }
  return faults
}

function schemaOf(node: unknown): z.ZodType {
  if (typeof node === 'object' && node !== null) {
    for (const [name, schema] of Object.entries(groups)) if (Object.hasOwn(node, name)) return schema
  }
  return comparisons
}

function childrenOf(node: Condition, path: Place['path'], depth: number): Place[] {
  if ('not' in node) return [{ node: node.not, path: [...path, 'not'], depth }]
  const name = 'all' in node ? 'all' : 'any'
  const list: readonly unknown[] | undefined = 'all' in node ? node.all : 'any' in node ? node.any : undefined
  return (list ?? []).map((part, at) => ({ node: part, path: [...path, name, at], depth }))
}

const named = (path: readonly PropertyKey[]): (string | number)[] =>
  path.map((part) => (typeof part === 'symbol' ? String(part) : part))
