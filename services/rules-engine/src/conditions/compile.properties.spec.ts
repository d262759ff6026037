import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compile } from './compile.js'
import type { Condition, Facts, Scalar } from './condition.js'
import { conditionFaults, MAX_DEPTH } from './condition-faults.js'

/** What a condition means, said a second time: from the words of `condition.ts`, by recursion, with exceptions for what is missing. */
function meaning(condition: Condition, facts: Facts): boolean {
  if ('all' in condition) return condition.all.filter((part) => !meaning(part, facts)).length === 0
  if ('any' in condition) return condition.any.filter((part) => meaning(part, facts)).length > 0
  if ('not' in condition) return !meaning(condition.not, facts)
  const look = (path: string): unknown =>
    path.split('.').reduce<unknown>((at, name) => {
      const own = Object.entries((typeof at === 'object' && at) || {}).filter(([key]) => key === name)
      return own.length === 0 ? undefined : own[0]![1]
    }, facts)
  const value = look(condition.fact)
  const text = JSON.stringify(value)
  const isScalar = value === null || ['string', 'number', 'boolean'].includes(typeof value)
  const equals = (other: unknown) =>
    isScalar && other !== undefined && typeof other === typeof value && JSON.stringify(other) === text
  const order = (other: unknown): number | undefined => {
    if (typeof value === 'number' && typeof other === 'number') return Math.sign(value - other)
    if (typeof value !== 'string' || typeof other !== 'string') return undefined
    return value === other ? 0 : [value, other].toSorted((a, b) => (a < b ? -1 : 1))[0] === value ? -1 : 1
  }
  const other = 'value' in condition ? condition.value : undefined
  const compared = typeof other === 'object' && other !== null ? look(other.fact) : other
  switch (condition.op) {
    case 'exists':
      return text !== undefined
    case 'eq':
      return equals(compared)
    case 'ne':
      return !equals(compared)
    case 'gt':
      return order(compared) === 1
    case 'lt':
      return order(compared) === -1
    case 'gte':
      return [0, 1].includes(order(compared) as number)
    case 'lte':
      return [0, -1].includes(order(compared) as number)
    case 'in':
      return condition.values.some(equals)
    case 'notIn':
      return !condition.values.some(equals)
    case 'between':
      return [0, 1].includes(order(condition.from) as number) && [0, -1].includes(order(condition.to) as number)
  }
}

/** Few names and few values, so that conditions and facts meet. */
const name = fc.constantFrom('a', 'b', 'c', 'lines')
const position = fc.constantFrom('0', '1')
const path = fc
  .tuple(name, fc.array(fc.oneof(name, position), { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest].join('.'))
const number = fc.constantFrom(0, 1, 2, -1, 1.5)
const text = fc.constantFrom('', 'a', 'b', 'é', '1', 'null')
const scalar: fc.Arbitrary<Scalar> = fc.oneof(number, text, fc.boolean(), fc.constant(null))
const ordered = fc.oneof(number, text)
const reference = fc.record({ fact: path })

const comparison: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ fact: path, op: fc.constantFrom('eq', 'ne'), value: fc.oneof(scalar, reference) }),
  fc.record({ fact: path, op: fc.constantFrom('gt', 'gte', 'lt', 'lte'), value: fc.oneof(ordered, reference) }),
  fc.record({
    fact: path,
    op: fc.constantFrom('in', 'notIn'),
    values: fc.array(scalar, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ fact: path, op: fc.constant('between' as const), from: ordered, to: ordered }),
  fc.record({ fact: path, op: fc.constant('exists' as const) }),
)

const condition: fc.Arbitrary<Condition> = fc.letrec<{ node: Condition }>((tie) => ({
  node: fc.oneof(
    { maxDepth: MAX_DEPTH - 1, depthSize: 'small' },
    comparison,
    fc.record({ all: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({ not: tie('node') }),
  ),
})).node

const facts: fc.Arbitrary<Facts> = fc.dictionary(
  name,
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      scalar,
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(name, tie('value'), { maxKeys: 3 }),
    ),
  })).value,
)

it('a compiled condition says what the condition means', () => {
  fc.assert(
    fc.property(condition, facts, (condition, facts) => {
      expect(compile(condition)(facts)).toBe(meaning(condition, facts))
    }),
    { numRuns: 3_000 },
  )
})

it('every condition of the grammar is accepted, within its bounds', () => {
  fc.assert(
    fc.property(condition, (condition) => {
      expect(conditionFaults(condition)).toEqual([])
    }),
  )
})

it('any JSON at all is either refused, or evaluates to true or false without throwing', () => {
  const almost = fc.oneof(
    fc.jsonValue(),
    condition,
    fc.dictionary(fc.constantFrom('all', 'any', 'not', 'fact', 'op', 'value'), fc.jsonValue()),
  )
  fc.assert(
    fc.property(almost, facts, (input, facts) => {
      if (conditionFaults(input).length > 0) return
      expect(typeof compile(input as Condition)(facts)).toBe('boolean')
    }),
    { numRuns: 1_000 },
  )
})
