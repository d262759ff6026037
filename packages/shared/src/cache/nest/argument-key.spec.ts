import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SerializationError } from '../../kernel/errors.js'
import { argumentKey } from './argument-key.js'

class Money {
  readonly #cents: number
  constructor(cents: number) {
    this.#cents = cents
  }
  get cents(): number {
    return this.#cents
  }
}
class Page {
  from?: number
}
class Filter {
  from?: number
}
class Id {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  toJSON(): string {
    return this.#text
  }
}

describe('the key of arguments', () => {
  it('is 43 characters that need no escaping', () => {
    expect(argumentKey([])).toMatch(/^[\w-]{43}$/)
    expect(argumentKey(['*?:{}'])).toMatch(/^[\w-]{43}$/)
  })

  it('keeps apart whatever a method could tell apart', () => {
    const page = Object.assign(new Page(), { from: 1 })
    const different: unknown[][] = [
      ...[
        [],
        [undefined],
        [undefined, undefined],
        [null],
        [0],
        [-0],
        [NaN],
        [Infinity],
        [-Infinity],
        ['0'],
        [0n],
        [false],
        [true],
      ],
      ...[
        [''],
        ['u'],
        ['null'],
        ['1,2'],
        ['1', '2'],
        [[1, 2]],
        [1, 2],
        [[1], 2],
        [['1,2']],
        [[undefined]],
        [new Array(1)],
      ],
      ...[['\ud800'], ['\ud801'], ['\ufffd'], [Symbol.for('a')], ['a'], [/a/], [/a/i]],
      ...[[new Date(0)], [new Date(1)], [new Date(NaN)], [new Date(0).toISOString()]],
      ...[
        [{}],
        [{ a: undefined }],
        [{ a: null }],
        [{ a: 1 }],
        [{ a: '1' }],
        [{ a: { a: 1 } }],
        [{ 'a":1,"b': 1 }],
        [{ a: 1, b: 1 }],
      ],
      ...[[new Map()], [new Map([['a', 1]])], [new Map([[1, 'a']])], [new Map([[{ a: 1 }, 1]])], [[['a', 1]]]],
      ...[[new Set()], [new Set([1])], [new Set(['1'])], [new Set([1, 2])], [new Set([2, 1])]],
      ...[
        [Buffer.from('a')],
        [Buffer.from('b')],
        [new Uint8Array([97])],
        [new Uint16Array([97])],
        [new Uint8Array([97]).buffer],
      ],
      ...[
        [page],
        [new Page()],
        [new Filter()],
        [new Id('1')],
        [new Id('2')],
        [{ [Symbol.for('a')]: 1 }],
        [{ [Symbol.for('b')]: 1 }],
      ],
    ]
    const keys = different.map(argumentKey)
    expect(new Set(keys).size).toBe(different.length)
  })

  it('does not depend on the order in which fields were written', () => {
    expect(argumentKey([{ a: 1, b: { c: 2, d: 3 } }])).toBe(argumentKey([{ b: { d: 3, c: 2 }, a: 1 }]))
  })

  it('does not depend on whether a plain object has a prototype', () => {
    expect(argumentKey([Object.assign(Object.create(null), { a: 1 })])).toBe(argumentKey([{ a: 1 }]))
  })

  it('takes an object that appears twice, which is no cycle', () => {
    const shared = { a: 1 }
    expect(argumentKey([shared, shared])).toBe(argumentKey([{ a: 1 }, { a: 1 }]))
  })

  it('is not fooled by a class that is named like a built-in', () => {
    const Fake = { Map: class extends Object {} }.Map
    Object.defineProperty(Fake, 'name', { value: 'Map' })
    expect(argumentKey([Object.assign(new Fake(), { a: 1 })])).not.toBe(argumentKey([new Map([['a', 1]])]))
  })

  it('is equal for JSON data exactly when the data is equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const copy: unknown = JSON.parse(JSON.stringify(a))
        // JSON.parse(JSON.stringify(-0)) is 0, which is another argument.
        if (Object.is(JSON.stringify(copy), JSON.stringify(a)) && !hasMinusZero(a)) {
          expect(argumentKey([copy])).toBe(argumentKey([a]))
        }
        expect(argumentKey([a]) === argumentKey([b])).toBe(equal(a, b))
      }),
    )
  })

  it.each([
    ['a function', [{ onSave: () => undefined }], 'args[0].onSave'],
    ['a symbol of its own', [[Symbol('x')]], 'args[0][0]'],
    ['a promise', [Promise.resolve()], 'args[0]'],
    [
      'a promise with what Node notes on it',
      [Object.assign(Promise.resolve(), { [Symbol('async_id')]: 1 })],
      'args[0]',
    ],
    ['an object that hides its fields', [new Money(5)], 'args[0]'],
    ['a function in a Map', [new Map([['a', () => 1]])], 'args[0].value(0)'],
  ])('refuses %s, and says where it is', (_, args, path) => {
    expect(() => argumentKey(args)).toThrowError(SerializationError)
    expect(() => argumentKey(args)).toThrowError(expect.objectContaining({ path }))
    expect(() => argumentKey(args)).toThrowError(/keyGenerator/)
  })

  it('refuses a cycle', () => {
    const order: Record<string, unknown> = { id: 1 }
    order['lines'] = [{ order }]
    expect(() => argumentKey([order])).toThrowError(expect.objectContaining({ path: 'args[0].lines[0].order' }))
  })

  it('refuses what is nested too deep, before the stack ends', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(() => argumentKey([deep])).toThrowError(SerializationError)
  })
})

function hasMinusZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasMinusZero)
  return Object.is(value, -0)
}

function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  const [left, right] = [Object.keys(a), Object.keys(b)]
  if (Array.isArray(a) !== Array.isArray(b) || left.length !== right.length) return false
  return left.every(
    (key) => Object.hasOwn(b, key) && equal((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  )
}
