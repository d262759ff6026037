import { describe, expect, it } from 'vitest'
import { compile } from './compile.js'
import type { Condition, Facts } from './condition.js'
import { conditionFaults, MAX_DEPTH, MAX_PARTS } from './condition-faults.js'

const invoice = {
  invoice: { total: 1_500, currency: 'EUR', lines: [{ amount: 1_200 }, { amount: 300 }] },
  customer: { country: 'DE', creditLimit: 1_000, tags: ['new'], parent: null },
}
const holds = (condition: Condition, facts: Facts = invoice) => compile(condition)(facts)

describe('a comparison', () => {
  it.each<[string, Condition]>([
    ['a number', { fact: 'invoice.total', op: 'gt', value: 1_000 }],
    ['a text', { fact: 'invoice.currency', op: 'lte', value: 'EUR' }],
    ['a position in a list', { fact: 'invoice.lines.1.amount', op: 'eq', value: 300 }],
    ['another fact', { fact: 'invoice.total', op: 'gt', value: { fact: 'customer.creditLimit' } }],
    ['null', { fact: 'customer.parent', op: 'eq', value: null }],
    ['a list of values', { fact: 'customer.country', op: 'in', values: ['FR', 'DE'] }],
    ['both ends', { fact: 'invoice.total', op: 'between', from: 1_500, to: 1_500 }],
    ['that a fact is there, also when it is null', { fact: 'customer.parent', op: 'exists' }],
    ['nothing, in an empty “all”', { all: [] }],
  ])('of %s holds', (_, condition) => {
    expect(holds(condition)).toBe(true)
    expect(holds({ not: condition })).toBe(false)
  })

  it.each<[string, Condition, boolean]>([
    ['is neither more nor less', { fact: 'nothing.here', op: 'lt', value: 5 }, false],
    ['equals nothing', { fact: 'nothing.here', op: 'eq', value: null }, false],
    ['equals nothing, nor what is missing too', { fact: 'nothing.here', op: 'eq', value: { fact: 'nor.here' } }, false],
    ['is different', { fact: 'nothing.here', op: 'ne', value: null }, true],
    ['is in no list', { fact: 'nothing.here', op: 'notIn', values: [null] }, true],
    ['is not there', { fact: 'nothing.here', op: 'exists' }, false],
  ])('of a fact that is missing: it %s', (_, condition, expected) => {
    expect(holds(condition)).toBe(expected)
  })

  it.each<[string, Condition]>([
    ['a number with a text', { fact: 'invoice.total', op: 'gt', value: '1000' }],
    ['a number with the text of it', { fact: 'invoice.total', op: 'eq', value: '1500' }],
    ['a list with anything', { fact: 'customer.tags', op: 'eq', value: 'new' }],
    ['an object with itself', { fact: 'invoice', op: 'eq', value: { fact: 'invoice' } }],
    ['null with a number', { fact: 'customer.parent', op: 'lt', value: 1 }],
  ])('of %s never holds', (_, condition) => {
    expect(holds(condition)).toBe(false)
  })
})

describe('a path', () => {
  it.each([
    '__proto__',
    '__proto__.polluted',
    'invoice.__proto__',
    'invoice.constructor.name',
    'a.prototype',
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '0',
    'a b',
    'a[0]',
    'a.b()',
    'a\u0000',
    'a\n',
    'é',
    'a.12345',
    'a.b.c.d.e.f.g.h.i',
    'x'.repeat(65),
  ])('%j is refused', (fact) => {
    expect(conditionFaults({ fact, op: 'exists' })).toHaveLength(1)
    expect(conditionFaults({ fact: 'a', op: 'eq', value: { fact } })).not.toEqual([])
  })

  it('finds nothing that is not the facts’ own', () => {
    for (const fact of [
      'toString',
      'invoice.hasOwnProperty',
      'invoice.lines.map',
      'invoice.currency.length',
      '__proto__.x',
    ])
      expect(holds({ fact, op: 'exists' })).toBe(false)
    const hostile = JSON.parse('{"__proto__": {"total": 5}, "constructor": {"name": "x"}}') as Facts
    expect(holds({ fact: 'total', op: 'exists' }, hostile)).toBe(false)
    expect(({} as Record<string, unknown>)['total']).toBeUndefined()
  })
})

describe('what is no condition is refused, with the place of the fault:', () => {
  it.each<[unknown, string]>([
    [null, ''],
    ['a > 5', ''],
    [[], ''],
    [{}, 'op'],
    [{ fact: 'a', op: 'matches', value: '.*' }, 'op'],
    [{ fact: 'a', op: 'constructor' }, 'op'],
    [{ fact: 'a', op: 'eq' }, 'value'],
    [{ fact: 'a', op: 'eq', value: [] }, 'value'],
    [{ fact: 'a', op: 'gt', value: true }, 'value'],
    [{ fact: 'a', op: 'gt', value: Number.NaN }, 'value'],
    [{ fact: 'a', op: 'in', values: [] }, 'values'],
    [{ fact: 'a', op: 'in', values: [{}] }, 'values.0'],
    [{ fact: 'a', op: 'in', values: Array.from({ length: 201 }, (_, i) => i) }, 'values'],
    [{ fact: 'a', op: 'between', from: 1 }, 'to'],
    [{ fact: 'a', op: 'exists', otherwise: 'something else' }, ''],
    [{ all: {} }, 'all'],
    [{ all: [{ fact: 'a', op: 'exists' }], any: [] }, ''],
    [{ all: [{ any: [{ fact: '__proto__', op: 'exists' }] }] }, 'all.0.any.0.fact'],
    [{ not: { not: 5 } }, 'not.not'],
    [JSON.parse('{"all": [], "__proto__": {"any": []}}'), ''],
  ])('%j', (input, place) => {
    const [fault] = conditionFaults(input)
    expect(fault?.path.join('.')).toBe(place)
  })

  it('one that is nested too deep, however deep', () => {
    const nested = (depth: number) => {
      let condition: unknown = { fact: 'a', op: 'exists' }
      for (let at = 1; at < depth; at++) condition = { not: condition }
      return condition
    }
    expect(conditionFaults(nested(MAX_DEPTH))).toEqual([])
    for (const depth of [MAX_DEPTH + 1, 100_000])
      expect(conditionFaults(nested(depth))[0]?.message).toBe('must be nested at most 8 levels deep')
  })

  it('one of too many parts', () => {
    const of = (parts: number) => ({ any: Array.from({ length: parts - 1 }, () => ({ fact: 'a', op: 'exists' })) })
    expect(conditionFaults(of(MAX_PARTS))).toEqual([])
    expect(conditionFaults(of(MAX_PARTS + 1))).toEqual([{ path: [], message: 'must have at most 200 parts' }])
  })
})

it('a rule that was written past the service is an error, and not a rule that never holds', () => {
  expect(() => compile({ fact: 'a', op: 'matches' } as unknown as Condition)).toThrowError(/nobody knows: matches/)
})
