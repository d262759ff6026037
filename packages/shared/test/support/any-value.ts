import fc from 'fast-check'

const marklike = fc.string({
  unit: fc.constantFrom('~', 'M', 'S', 'D', 'O', 'U', 'u', 'w', 'n', '0', '1'),
  maxLength: 4,
})
const name = fc.oneof(
  fc.constantFrom('a', 'b', '__proto__', 'toString', 'constructor', 'toJSON', 'then', '~u', ''),
  fc.string({ unit: 'binary', maxLength: 3 }),
)
const { value } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.tuple(fc.constantFrom('~M', '~S', '~O', '~U', '~~M'), tie('value')),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map(objectOf),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
  ),
  leaf: fc.oneof(
    fc.string({ unit: 'binary' }),
    marklike,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(null, undefined, -0),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 9 }),
    fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
  ),
}))

/** Values of every kind that the cache stores, in any mixture, with strings and field names that look like the marks of the typed codecs. */
export const anyValue: fc.Arbitrary<unknown> = value

/**
 * Where two values differ; '' where they don't. The matchers of the test runner compare `a.constructor`, which is data here, and don't see a
 * field `__proto__`.
 */
export function difference(a: unknown, b: unknown, path = '$'): string {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b) ? '' : path
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: prototypes`
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime()) ? '' : path
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array) === 0 ? '' : path
  if (a instanceof Map) return difference([...a].flat(1), [...(b as Map<unknown, unknown>)].flat(1), `${path} entries`)
  if (a instanceof Set) return difference([...a], [...(b as Set<unknown>)], `${path} items`)
  const [fieldsA, fieldsB] = [Object.entries(a), Object.entries(b)]
  if (fieldsA.length !== fieldsB.length) return `${path}: number of fields`
  for (const [i, [name, field]] of fieldsA.entries()) {
    if (name !== fieldsB[i]?.[0]) return `${path}: field ${i}`
    const found = difference(field, fieldsB[i][1], `${path}.${name}`)
    if (found !== '') return found
  }
  return ''
}

function objectOf(entries: [string, unknown][]): object {
  const object = {}
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
  return object
}
