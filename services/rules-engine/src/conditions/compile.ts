import type { Comparison, Condition, FactReference, Facts, Ordered, Ordering, Scalar } from './condition.js'
import { readerOf } from './fact-path.js'

/** Whether a condition holds for some facts. Never throws: whatever is missing or of another type compares as `condition.ts` says. */
export type Predicate = (facts: Facts) => boolean

/**
 * Makes a condition a function: paths are split and operators chosen once, not at every evaluation. Closures only – no source text is made of a
 * condition, which may be hostile.
 * @param condition one that `conditionFaults` found no fault in: its depth bounds the recursion
 * @throws TypeError it is none; someone wrote past the service into its table
 */
export function compile(condition: Condition): Predicate {
  if ('all' in condition) {
    const parts = condition.all.map(compile)
    return (facts) => parts.every((holds) => holds(facts))
  }
  if ('any' in condition) {
    const parts = condition.any.map(compile)
    return (facts) => parts.some((holds) => holds(facts))
  }
  if ('not' in condition) {
    const holds = compile(condition.not)
    return (facts) => !holds(facts)
  }
  return comparison(condition)
}

function comparison(condition: Comparison): Predicate {
  const read = readerOf(condition.fact)
  switch (condition.op) {
    case 'eq': {
      const value = operand(condition.value)
      return (facts) => same(read(facts), value(facts))
    }
    case 'ne': {
      const value = operand(condition.value)
      return (facts) => !same(read(facts), value(facts))
    }
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte': {
      const value = operand(condition.value)
      const holds = orderings[condition.op]
      return (facts) => {
        const [left, right] = [read(facts), value(facts)]
        return comparable(left, right) && holds(left as Ordered, right as Ordered)
      }
    }
    case 'in': {
      const values = new Set<unknown>(condition.values)
      return (facts) => values.has(read(facts))
    }
    case 'notIn': {
      const values = new Set<unknown>(condition.values)
      return (facts) => !values.has(read(facts))
    }
    case 'between': {
      const { from, to } = condition
      return (facts) => {
        const value = read(facts)
        return (
          comparable(value, from) && comparable(value, to) && (value as Ordered) >= from && (value as Ordered) <= to
        )
      }
    }
    case 'exists':
      return (facts) => read(facts) !== undefined
    default:
      throw new TypeError(`A rule has an operator that nobody knows: ${String((condition as { op?: unknown }).op)}`)
  }
}

const orderings: Readonly<Record<Ordering, (left: Ordered, right: Ordered) => boolean>> = {
  gt: (left, right) => left > right,
  gte: (left, right) => left >= right,
  lt: (left, right) => left < right,
  lte: (left, right) => left <= right,
}

function operand(value: Scalar | FactReference): (facts: Facts) => unknown {
  return typeof value === 'object' && value !== null ? readerOf(value.fact) : () => value
}

/** Lists and objects equal nothing, and neither does what is missing. */
function same(left: unknown, right: unknown): boolean {
  return left === right && (left === null || (typeof left !== 'object' && left !== undefined))
}

function comparable(left: unknown, right: unknown): boolean {
  return typeof left === typeof right && (typeof left === 'number' || typeof left === 'string')
}
