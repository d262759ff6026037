import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canFreeze, copyBy, deepFreeze, survey } from './deep-copy.js'

/** A copy, of what can be copied. */
function copyOf<T>(value: T): T {
  const { plan } = survey(value)
  if (plan === null) throw new Error('there is no plan for it')
  return copyBy(plan, value) as T
}

/** Every object in a value that can be changed. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null) return found
  found.add(value)
  if (value instanceof Map) for (const entry of value) for (const each of entry) objectsIn(each, found)
  else if (value instanceof Set) for (const each of value) objectsIn(each, found)
  else if (!ArrayBuffer.isView(value)) for (const each of Object.values(value)) objectsIn(each, found)
  return found
}

/** Whatever comes out of a serializer, hostile names among it. */
const names = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'length', ''))
const scalars = fc.oneof(
  fc.string(),
  fc.double(),
  fc.boolean(),
  fc.bigInt(),
  fc.constantFrom(null, undefined, NaN, -0, Infinity),
)
const leaves = fc.oneof(
  { weight: 6, arbitrary: scalars },
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 8 }),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
)
const { value: values } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    leaves,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.record({ id: fc.integer(), at: fc.date(), inner: fc.record({ name: fc.string() }) }), { maxLength: 5 }),
    fc.array(fc.tuple(names, tie('value')), { maxLength: 5 }).map((fields) => objectOf({}, fields)),
    fc.array(fc.tuple(names, tie('value')), { maxLength: 3 }).map((fields) => objectOf(Object.create(null), fields)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((each) => new Set(each)),
  ),
}))

function objectOf(object: unknown, fields: readonly (readonly [string, unknown])[]): object {
  for (const [name, value] of fields) {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true })
  }
  return object as object
}

describe('a copy', () => {
  it('is equal to its value in depth and shares nothing with it that can be changed', () => {
    fc.assert(
      fc.property(values, (value) => {
        const copy = copyOf(value)
        expect(isDeepStrictEqual(copy, value)).toBe(true)
        const own = objectsIn(value)
        for (const object of objectsIn(copy)) expect(own.has(object)).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })

  it('has the same prototypes, at every depth', () => {
    fc.assert(
      fc.property(values, (value) => {
        const prototypes = [...objectsIn(value)].map((each) => Object.getPrototypeOf(each) as unknown)
        const copied = [...objectsIn(copyOf(value))].map((each) => Object.getPrototypeOf(each) as unknown)
        expect(copied.length).toBe(prototypes.length)
        expect(copied.every((prototype, i) => prototype === prototypes[i])).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('of a field called __proto__ has such a field, and no other prototype', () => {
    const value = JSON.parse('{"__proto__":{"admin":{"yes":true}},"a":[{"__proto__":{"admin":true}}]}') as {
      a: object[]
    }
    const copy = copyOf(value)
    expect(copy).toStrictEqual(value)
    for (const object of [copy, copy.a[0]!]) {
      expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
      expect(Object.hasOwn(object, '__proto__')).toBe(true)
      expect('admin' in object).toBe(false)
    }
    expect(Object.getOwnPropertyDescriptor(copy, '__proto__')!.value).not.toBe(
      Object.getOwnPropertyDescriptor(value, '__proto__')!.value,
    )
    expect(({} as { admin?: unknown }).admin).toBeUndefined()
  })

  it('of an object without a prototype has none either', () => {
    const value = Object.assign(Object.create(null) as Record<string, unknown>, { a: { b: 1 }, toString: 'text' })
    const copy = copyOf(value)
    expect(Object.getPrototypeOf(copy)).toBeNull()
    expect(Object.entries(copy)).toEqual(Object.entries(value))
    expect(copy['a']).not.toBe(value['a'])
  })

  it('of something frozen can be changed', () => {
    const copy = copyOf(deepFreeze({ rows: [{ tags: ['a'] }] }))
    copy.rows[0]!.tags.push('b')
    copy.rows.push({ tags: [] })
    expect(copy).toEqual({ rows: [{ tags: ['a', 'b'] }, { tags: [] }] })
  })

  it('of bytes is no window into them', () => {
    const value = { buffer: Buffer.from([1, 2, 3]).subarray(1), bytes: new Uint8Array([4, 5]) }
    const copy = copyOf(value)
    copy.buffer[0] = 9
    copy.bytes[0] = 9
    expect([...value.buffer, ...value.bytes]).toEqual([2, 3, 4, 5])
    expect(Buffer.isBuffer(copy.buffer)).toBe(true)
    expect(Buffer.isBuffer(copy.bytes)).toBe(false)
  })

  it('of a list of rows copies each, also where the last is of another shape', () => {
    const rows = [
      { id: 1, at: new Date(1), meta: { a: 1 } },
      { id: 2, at: new Date(2), meta: { a: 2 } },
    ]
    for (const value of [rows, [...rows, { id: 3, at: null, meta: { a: [3] } }], [1, ...rows], [...rows, 'x']]) {
      const copy = copyOf<unknown[]>(value)
      expect(copy).toStrictEqual(value)
      const own = objectsIn(value)
      for (const object of objectsIn(copy)) expect(own.has(object)).toBe(false)
    }
  })

  it('of a Map takes its keys along, each with its own value', () => {
    const value = new Map<unknown, unknown>([
      [{ k: 1 }, [1]],
      ['two', new Map([[{ k: 2 }, new Set([[2]])]])],
      [3, 'plain'],
    ])
    const copy = copyOf(value)
    expect(copy).toStrictEqual(value)
    ;([...copy.keys()][0] as { k: number }).k = 9
    expect([...value.keys()][0]).toEqual({ k: 1 })
  })

  it('of what lies as deep as it may is made, and no deeper', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : { below: nested(depth - 1) })
    const deep = nested(500)
    expect(copyOf(deep)).toStrictEqual(deep)
    expect(survey(nested(501)).plan).toBeNull()
    let list: unknown = 0
    for (let i = 0; i < 100_000; i++) list = [list]
    expect(survey(list).plan).toBeNull()
  })
})

describe('no copy is made', () => {
  class Money {
    constructor(readonly amount: number) {}
  }
  const cycle: { self?: unknown } = {}
  cycle.self = [{ again: cycle }]
  const shared = { in: 'two places' }
  const gaps = [1, 2]
  gaps[5] = 6
  const twice = { a: shared, b: [shared] }
  let doubled: unknown = {}
  for (let i = 0; i < 60; i++) doubled = [doubled, doubled]

  it.each<[string, unknown]>([
    ['an object of a class', new Money(5)],
    ['an object of a class, far below', { a: [new Map([['k', new Set([new Money(5)])]])] }],
    ['a subclass of Array', new (class Rows extends Array<number> {})(1, 2)],
    ['a subclass of Map', new (class Index extends Map {})()],
    ['a function', { save: () => undefined }],
    ['a symbol', [Symbol('s')]],
    ['a field under a symbol', { [Symbol('s')]: 1 }],
    ['a getter, which is not called', Object.defineProperty({}, 'now', { enumerable: true, get: thrown })],
    ['a setter', Object.defineProperty({}, 'now', { enumerable: true, set: thrown })],
    ['a hidden field', Object.defineProperty({ a: 1 }, 'id', { value: 1 })],
    ['a list with gaps', gaps],
    ['a list with no end of gaps', Object.assign([], { length: 4_294_967_295 })],
    ['a list with a field', Object.assign([1], { total: 1 })],
    ['a cycle', cycle],
    ['one object in two places', twice],
    ['one object in a million million places', doubled],
    ['an error', new Error('e')],
    ['a regular expression', /a/],
    ['a URL', new URL('http://a')],
    ['other numbers', new Float64Array(1)],
    ['a boxed string', Object('text')],
    ['a promise', Promise.resolve()],
  ])('of %s', (_, value) => {
    expect(survey(value).plan).toBeNull()
    expect(survey({ list: [1, { value }] }).plan).toBeNull()
  })
})

describe('a value that is frozen in depth', () => {
  it('can’t be changed anywhere', () => {
    const value = deepFreeze({ a: [{ b: { c: 1 } }], d: 'text', e: null })
    for (const object of objectsIn(value)) expect(Object.isFrozen(object)).toBe(true)
    expect(() => value.a.push({ b: { c: 2 } })).toThrow(TypeError)
    expect(() => (value.a[0]!.b.c = 2)).toThrow(TypeError)
  })

  it('is frozen below Maps and Sets too, though they can be changed, as bytes can', () => {
    const value = {
      map: new Map([[{ k: 1 }, [1]]]),
      set: new Set([{ s: 1 }]),
      bytes: new Uint8Array([1]),
      at: new Date(5),
    }
    deepFreeze(value)
    expect([...value.map.entries()].flat().every((each) => Object.isFrozen(each))).toBe(true)
    expect([...value.set].every((each) => Object.isFrozen(each))).toBe(true)
    value.bytes[0] = 2
    expect(value.bytes[0]).toBe(2)
    expect(deepFreeze('text')).toBe('text')
    expect(deepFreeze(null)).toBeNull()
  })

  it('is it below something that was frozen alone', () => {
    const value = Object.freeze({ inner: { list: [1] } })
    deepFreeze(value)
    expect(Object.isFrozen(value.inner.list)).toBe(true)
  })

  it('may lie as deep as a payload can', () => {
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown[]
    expect(Object.isFrozen((deepFreeze(deep)[0] as unknown[])[0])).toBe(true)
  })

  it('may hold itself', () => {
    const value: { self?: unknown } = {}
    value.self = [value]
    expect(Object.isFrozen(deepFreeze(value).self)).toBe(true)
  })
})

describe('freezing is enough', () => {
  const enough = (value: unknown): boolean => canFreeze(survey(value).plan!)

  it('for plain data', () => {
    for (const value of ['text', 5, null, {}, [], { a: [{ b: [1, { c: 2 }] }, 'x'] }, [[{ a: 1 }], [{ a: 2 }]]])
      expect(enough(value), JSON.stringify(value)).toBe(true)
  })

  it('not for what can be changed frozen, wherever it lies', () => {
    const changeable = [new Date(0), new Map(), new Set(), Buffer.from('a'), new Uint8Array(1)]
    for (const value of changeable) {
      expect(enough(value)).toBe(false)
      expect(enough({ a: [1, { value }] })).toBe(false)
    }
    expect(enough([{ at: new Date(0) }, { at: new Date(1) }])).toBe(false)
  })
})

function thrown(): never {
  throw new Error('it was called')
}
