import fc from 'fast-check'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { anyValue, difference } from '../../../test/support/any-value.js'
import { SerializationError } from '../errors.js'
import { decodeJson, encodeJson } from './json.js'

const roundTrip = (value: unknown) => {
  const { codec, payload } = encodeJson(value)
  return decodeJson(codec, payload)
}

describe('plain JSON data', () => {
  it("is written as JSON.stringify's text, whatever strings it holds", () => {
    const value = {
      a: [1, 'x', null, true, { b: -1.5e300 }],
      '~D1': '~D1',
      when: '2026-11-01T10:00:00.000Z',
      u: '~u',
      m: ['~M', 1],
    }
    expect(encodeJson(value)).toEqual({ codec: 'j', payload: JSON.stringify(value) })
    expect(roundTrip(value)).toEqual(value)
  })

  it.each([null, false, 0, '', 'text', '~u', [], {}])('may be just %j', (value) => {
    expect(encodeJson(value)).toEqual({ codec: 'j', payload: JSON.stringify(value) })
  })

  it('round-trips, and is always recognised', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary', maxDepth: 3 }), (value) => {
        // The one number that JSON has no form for and jsonValue makes.
        fc.pre(!JSON.stringify(value, (_, v: unknown) => (Object.is(v, -0) ? '<-0>' : v)).includes('<-0>'))
        const encoded = encodeJson(value)
        expect(encoded).toEqual({ codec: 'j', payload: JSON.stringify(value) })
        expect(decodeJson('j', encoded.payload)).toStrictEqual(value)
      }),
      { numRuns: 300 },
    )
  })

  it('may be deep', () => {
    let value: unknown = '~'
    for (let i = 0; i < 1_000; i++) value = i % 2 ? [value] : { value }
    expect(encodeJson(value)).toEqual({ codec: 'j', payload: JSON.stringify(value) })
    expect(roundTrip(value)).toEqual(value)
  })

  it('may hold halves of surrogate pairs, which UTF-8 has no form for', () => {
    const value = { cut: 'a\ud83d', odd: '\udc00', when: undefined }
    const { codec, payload } = encodeJson(value)
    expect(decodeJson(codec, Buffer.from(payload).toString())).toStrictEqual(value)
    expect(Buffer.from(encodeJson('\ud83d').payload).toString()).toBe('"\\ud83d"')
  })

  it('may be reachable twice', () => {
    const shared = { n: 1 }
    for (const beside of ['plain', new Date(1)]) {
      expect(roundTrip({ a: shared, b: [shared, shared], beside })).toEqual({
        a: { n: 1 },
        b: [{ n: 1 }, { n: 1 }],
        beside,
      })
    }
  })
})

describe('what JSON has no form for', () => {
  it.each([
    ['Date', new Date(1_700_000_000_123)],
    ['Date before 1970', new Date(-1)],
    ['invalid Date', new Date(NaN)],
    [
      'Map',
      new Map<unknown, unknown>([
        ['a', new Date(0)],
        [{ k: 1 }, new Map([[1n, undefined]])],
      ]),
    ],
    ['empty Map', new Map()],
    ['Map of arrays', new Map([[['a'], ['b', ['c']]]])],
    ['Set', new Set([1, '~x', new Set()])],
    ['bigint', -(2n ** 200n)],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['-0', -0],
    ['Buffer', Buffer.from([0, 255, 126])],
    ['empty Buffer', Buffer.alloc(0)],
    ['Uint8Array', new Uint8Array([1, 2, 3])],
  ])('comes back as it went in: %s', (_, value) => {
    for (const wrapped of [value, { value }, [value], { a: [{ b: value }] }]) {
      expect(encodeJson(wrapped).codec).toBe('t')
      expect(roundTrip(wrapped)).toStrictEqual(wrapped)
    }
  })

  it('keeps undefined in fields and arrays; holes become undefined', () => {
    expect(roundTrip({ a: undefined, b: [undefined, 1] })).toStrictEqual({ a: undefined, b: [undefined, 1] })
    expect(roundTrip(Object.assign(new Array(3), { 0: 1, 2: 2 }))).toStrictEqual([1, undefined, 2])
  })

  it('tells Buffer and Uint8Array apart, and sees only the window of a view', () => {
    const window = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    const back = roundTrip({ buffer: Buffer.from('ab'), bytes: window }) as { buffer: Buffer; bytes: Uint8Array }
    expect(Buffer.isBuffer(back.buffer)).toBe(true)
    expect(Buffer.isBuffer(back.bytes)).toBe(false)
    expect([...back.bytes]).toEqual([2, 3])
    expect(back.bytes.buffer.byteLength).toBe(2)
  })

  it("keeps user's data that looks like marks, beside real ones", () => {
    const value = {
      when: new Date(5),
      s: ['~D5', '~', '~~', '~~D5', '~u'],
      m: ['~M', 'a', 1],
      set: ['~S'],
      t: new Map([['~M', '~S']]),
    }
    expect(roundTrip(value)).toStrictEqual(value)
  })

  it('keeps a field named __proto__ a field, and pollutes nothing', () => {
    const value = JSON.parse('{"__proto__":{"polluted":"~x"},"a":1}') as Record<string, unknown>
    for (const other of [undefined, new Date(0), 'plain']) {
      const sent = { before: 1, value, other }
      const back = roundTrip(sent) as typeof sent
      expect(Object.keys(back.value)).toEqual(['__proto__', 'a'])
      expect(Object.getPrototypeOf(back.value)).toBe(Object.prototype)
      expect(Object.getOwnPropertyDescriptor(back.value, '__proto__')?.value).toEqual({ polluted: '~x' })
      expect('polluted' in {}).toBe(false)
    }
  })

  it('keeps a Date under __proto__ too', () => {
    const value = JSON.parse('{"x":1,"__proto__":0}') as Record<string, unknown>
    Object.defineProperty(value, '__proto__', {
      value: new Date(7),
      enumerable: true,
      writable: true,
      configurable: true,
    })
    const back = roundTrip(value) as object
    expect(Object.getOwnPropertyDescriptor(back, '__proto__')?.value).toEqual(new Date(7))
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
  })

  it('is recognised from another realm', () => {
    const foreign = runInNewContext(
      '({ when: new Date(5), map: new Map([[1, new Set([2])]]), list: [undefined] })',
    ) as object
    expect(roundTrip(foreign)).toStrictEqual({
      when: new Date(5),
      map: new Map([[1, new Set([2])]]),
      list: [undefined],
    })
  })

  it('comes back as the basic type from subclasses', () => {
    class Day extends Date {}
    class Index extends Map<string, number> {}
    expect(roundTrip([new Day(5), new Index([['a', 1]])])).toStrictEqual([new Date(5), new Map([['a', 1]])])
  })

  it('does not change the value that it writes', () => {
    const value = { list: [new Date(1), '~a'], deep: Object.freeze({ map: new Map([[1, undefined]]) }) }
    const before = structuredClone(value)
    encodeJson(value)
    expect(value).toStrictEqual(before)
  })

  it('round-trips in any mixture', () => {
    fc.assert(
      fc.property(
        anyValue.filter((v) => v !== undefined),
        (v) => {
          expect(difference(roundTrip(v), v, '$')).toBe('')
        },
      ),
      { numRuns: 1_500 },
    )
  })
})

describe('class instances', () => {
  class Product {
    readonly #secret = 1
    constructor(
      readonly id: number,
      readonly name?: string,
    ) {}
    get loud() {
      return this.#secret
    }
  }

  it('are written by their own fields, as JSON does', () => {
    expect(encodeJson([new Product(1, 'x')])).toEqual({ codec: 'j', payload: '[{"id":1,"name":"x"}]' })
    expect(roundTrip([new Product(1)])).toStrictEqual([{ id: 1, name: undefined }])
    expect(roundTrip({ error: new RangeError('x'), at: /x/, floats: new Float64Array([0.5]) })).toEqual({
      error: {},
      at: {},
      floats: { 0: 0.5 },
    })
  })

  it('are written by their toJSON when they have one, inherited or their own', () => {
    class Money {
      constructor(readonly cents: bigint) {}
      toJSON(key: string) {
        return { key, amount: Number(this.cents) / 100 }
      }
    }
    const value = { price: new Money(150n), list: [new Money(1n)], own: { toJSON: () => '~own' }, text: '~' }
    expect(encodeJson(value)).toEqual({ codec: 'j', payload: JSON.stringify(value) })
    expect(roundTrip(value)).toEqual(JSON.parse(JSON.stringify(value)))
  })

  it('are written by a toJSON that their class was given between two writes', () => {
    const list = [new Product(1, 'x')]
    expect(encodeJson(list).payload).toBe('[{"id":1,"name":"x"}]')
    Object.defineProperty(Product.prototype, 'toJSON', { value: () => ({ at: new Date(1) }), configurable: true })
    expect(roundTrip(list)).toStrictEqual([{ at: new Date(1) }])
    Reflect.deleteProperty(Product.prototype, 'toJSON')
  })

  it('keep types in what their toJSON answers, which is not asked for its own toJSON', () => {
    const inner = { kept: 1, toJSON: 5 }
    expect(roundTrip({ toJSON: () => ({ when: new Date(1), inner }) })).toStrictEqual({ when: new Date(1), inner })
    const nested = { toJSON: () => ({ a: 1n, toJSON: undefined }) }
    expect(roundTrip(nested)).toStrictEqual({ a: 1n, toJSON: undefined })
    const itself = {
      n: 1,
      toJSON() {
        return Object.assign(Object.create(itself) as object, { n: 1 })
      },
    }
    expect(encodeJson(itself)).toEqual({ codec: 'j', payload: '{"n":1}' })
  })

  it('are asked once for what they are written as, beside marked values too', () => {
    class Step {
      constructor(readonly n: number) {}
      toJSON() {
        return new Step(this.n + 1)
      }
    }
    class Steps extends Array<number> {
      toJSON() {
        return Steps.of(...this, 1)
      }
    }
    expect(roundTrip([new Step(0), Steps.of(0)])).toEqual([{ n: 1 }, [0, 1]])
    expect(roundTrip([new Step(0), Steps.of(0), 1n])).toStrictEqual([{ n: 1 }, [0, 1], 1n])
  })

  it('may be arrays with a toJSON', () => {
    class Page extends Array<number> {
      toJSON() {
        return { items: [...this], at: new Date(3) }
      }
    }
    expect(roundTrip({ page: Page.of(1, 2) })).toStrictEqual({ page: { items: [1, 2], at: new Date(3) } })
  })

  it('that box a primitive are the primitive', () => {
    expect(roundTrip([Object(5), Object('~x'), Object(false), Object(7n)])).toStrictEqual([5, '~x', false, 7n])
  })
})

describe("what can't be stored", () => {
  const cycle: Record<string, unknown> = { a: { list: [1] } }
  ;((cycle.a as { list: unknown[] }).list as unknown[]).push(cycle)
  const wide: { children: object[] } = { children: [] }
  for (let i = 0; i < 1_000; i++) wide.children.push({ parent: wide })
  const selfish = new Set<unknown>([1])
  selfish.add(selfish)

  it.each<[string, unknown, string, RegExp]>([
    ['a function', { a: [0, 1, 2, () => 1] }, '$.a[3]', /a function/],
    ['a symbol', { 'odd name': Symbol('x') }, '$["odd name"]', /a symbol/],
    ['a function as the whole value', () => 1, '$', /a function/],
    ['a function in a Map', { m: new Map([['k', () => 1]]) }, '$.m[1]', /a function/],
    ['a function beside a Date', [new Date(), { f() {} }], '$[1].f', /a function/],
    ['a cycle', cycle, '$.a.list[1]', /contains itself/],
    ['a wide cycle', wide, '$.children[0].parent', /contains itself/],
    ['a Set that holds itself', selfish, '$[1]', /contains itself/],
    ['undefined', undefined, '$', /use null, or delete the key/],
    ['a toJSON that answers undefined', { toJSON: () => undefined }, '$', /use null, or delete the key/],
    ['a toJSON that throws', { a: { toJSON: () => new Date(NaN).toISOString() } }, '$.a', /its toJSON failed/],
  ])('is refused with its path: %s', (_, value, path, message) => {
    let error: unknown
    try {
      encodeJson(value)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(SerializationError)
    expect(error).toMatchObject({ code: 'SERIALIZATION', path, message: expect.stringMatching(message) as unknown })
  })

  it('is refused rather than overflowing the stack when it is too deep, both ways', () => {
    let deep: unknown = new Date(0)
    for (let i = 0; i < 200_000; i++) deep = [deep]
    expect(() => encodeJson(deep)).toThrow(
      expect.objectContaining({ code: 'SERIALIZATION', message: expect.stringContaining('nested too deeply') }),
    )
    const text = '['.repeat(200_000) + '"~u"' + ']'.repeat(200_000)
    expect(() => decodeJson('t', text)).toThrow(expect.objectContaining({ code: 'SERIALIZATION' }))
  })
})

describe('a stored text that is not of its codec', () => {
  it.each([
    ['j', '{"token": nonsense}'],
    ['t', '{"a":"~n12x"}'],
    ['t', '"~?"'],
    ['x', '{}'],
    ['', '1'],
  ])('is refused without being quoted: %j %j', (codec, payload) => {
    let error: unknown
    try {
      decodeJson(codec, payload)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(SerializationError)
    expect((error as Error).message).not.toMatch(/nonsense|12x/)
    expect((error as Error).cause).toBeUndefined()
  })
})
