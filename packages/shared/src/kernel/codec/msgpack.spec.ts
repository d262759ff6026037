import { runInNewContext } from 'node:vm'
import { beforeAll, describe, expect, it } from 'vitest'
import { difference } from '../../../test/support/any-value.js'
import { encodeJson } from './json.js'
import { type Msgpack, loadMsgpack } from './msgpack.js'

let msgpack: Msgpack
beforeAll(async () => {
  msgpack = await loadMsgpack()
})

const roundTrip = (value: unknown) => msgpack.unpack(msgpack.pack(value))

function errorOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

class Product {
  constructor(
    readonly id: number,
    readonly when?: Date,
  ) {}
}

class Money {
  constructor(readonly cents: number) {}
  toJSON() {
    return { cents: this.cents, at: new Date(1) }
  }
}

describe('MessagePack', () => {
  it('is standard MessagePack for plain data, which other programs can read', () => {
    expect(msgpack.pack({ a: [1, 'x', null, true, 0.5] }).toString('hex')).toBe('81a1619501a178c0c3cb3fe0000000000000')
  })

  it('holds bytes as bytes', () => {
    expect(msgpack.pack(Buffer.alloc(1_000, 7)).length).toBeLessThan(1_010)
    expect(msgpack.pack(new Uint8Array(1_000)).length).toBeLessThan(1_020)
  })

  it('gives bytes of their own, not windows into what was read', () => {
    const packed = msgpack.pack({ buffer: Buffer.from('abc'), bytes: Uint8Array.of(1, 2, 3, 4).subarray(1, 3) })
    const back = msgpack.unpack(packed) as { buffer: Buffer; bytes: Uint8Array }
    packed.fill(0)
    expect(back.buffer).toEqual(Buffer.from('abc'))
    expect([...back.bytes]).toEqual([2, 3])
    expect(Buffer.isBuffer(back.bytes)).toBe(false)
    expect(back.bytes.buffer.byteLength).toBe(2)
  })

  it.each([
    ['marks of its own', [['~U', 1], ['~O', 'a'], '~w"', '~~']],
    ['integers of all sizes', [2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 31), -(2 ** 53), 1e300, 5e-324]],
    ['halves of surrogate pairs', { cut: 'a\ud83d', '\udc00': ['\udc00'], map: new Map([['\ud83d', 1]]) }],
    ['a long list', Array.from({ length: 70_000 }, (_, i) => i)],
    ['many fields', Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`f${i}`, i]))],
    ['fields that the library looks at', { constructor: null, toJSON: 5, hasOwnProperty: 1, length: 3 }],
    ['a long text', 'ü'.repeat(100_000)],
  ])('keeps %s', (_, value) => {
    expect(difference(roundTrip(value), value)).toBe('')
    expect(difference(roundTrip([value]), [value])).toBe('')
  })

  it('keeps a field named __proto__ a field, and pollutes nothing', () => {
    const value = JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":null}}') as object
    const back = roundTrip(value) as object
    expect(difference(back, value)).toBe('')
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect('polluted' in {}).toBe(false)
    // The same fields, written by someone else.
    const foreign = msgpack.unpack(Buffer.from('81a95f5f70726f746f5f5f81a8706f6c6c7574656401', 'hex')) as object
    expect(Object.getPrototypeOf(foreign)).toBe(Object.prototype)
    expect('polluted' in foreign).toBe(false)
  })

  it('writes class instances by their toJSON, else by their own fields', () => {
    expect(roundTrip([new Product(1), new Product(2, new Date(3))])).toStrictEqual([
      { id: 1, when: undefined },
      { id: 2, when: new Date(3) },
    ])
    expect(roundTrip({ price: new Money(5) })).toStrictEqual({ price: { cents: 5, at: new Date(1) } })
    expect(roundTrip({ error: new RangeError('x'), at: /x/, floats: new Float64Array([0.5]) })).toStrictEqual({
      error: {},
      at: {},
      floats: { 0: 0.5 },
    })
  })

  it('knows values of another realm', () => {
    const foreign = runInNewContext(
      '({ map: new Map([[1, new Set([2])]]), list: [undefined, {}], u: new Uint8Array(2) })',
    )
    expect(roundTrip(foreign)).toStrictEqual({
      map: new Map([[1, new Set([2])]]),
      list: [undefined, {}],
      u: new Uint8Array(2),
    })
  })

  it('does not change the value that it writes', () => {
    const value = Object.freeze({ list: Object.freeze([new Date(1), '~a', undefined]), constructor: 1 })
    const before = structuredClone(value)
    msgpack.pack(value)
    expect(difference(value, before)).toBe('')
  })

  const cycle: Record<string, unknown> = { a: { list: [1] } }
  ;((cycle.a as { list: unknown[] }).list as unknown[]).push(cycle)
  let deep: unknown = 1
  for (let i = 0; i < 200_000; i++) deep = [deep]
  it.each<[string, unknown]>([
    ['a function', { a: [0, 1, () => 1] }],
    ['a symbol', { 'odd name': Symbol('x') }],
    ['a function as the whole value', () => 1],
    ['a function beside a field named constructor', { constructor: 1, b: { f() {} } }],
    ['a function in a Map', { m: new Map([['k', () => 1]]) }],
    ['a cycle', cycle],
    ['undefined', undefined],
    ['a toJSON that answers undefined', { toJSON: () => undefined }],
    ['a toJSON that throws', { a: { toJSON: () => new Date(NaN).toISOString() } }],
    ['nesting deeper than the stack', deep],
  ])('refuses as JSON does: %s', (_, value) => {
    const refused = errorOf(() => encodeJson(value)) as Error
    expect(errorOf(() => msgpack.pack(value))).toMatchObject({ code: 'SERIALIZATION', message: refused.message })
    // The library keeps a buffer from one call to the next.
    expect(roundTrip({ still: 'works' })).toEqual({ still: 'works' })
  })
})
