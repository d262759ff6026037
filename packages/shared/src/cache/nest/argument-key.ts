import { createHash } from 'node:crypto'
import { SerializationError } from '../../kernel/errors.js'

/**
 * The default key of a decorated method's arguments: equal arguments give one key, and different ones never share it.
 *
 * The arguments are written in a canonical form that keeps every type apart (`1` `'1'` `1n` `-0` `undefined` `null` `NaN`, a `Date` from its
 * ISO text, a `Map` from an object, a `Buffer` from an array, one class from another) and sorts the fields of objects; the SHA-256 of that is
 * the key. Strings carry their quotes and lists their brackets, so no two forms run into each other. The order of a `Map`, a `Set` and an
 * array counts: their readers can see it.
 *
 * An object counts by its own enumerable fields, or by its `toJSON()`. What can't be seen that way is refused, not guessed: functions,
 * unique symbols, cycles, and objects that show no fields but have methods (`Promise`, `URLSearchParams`, a class of `#private` fields only).
 * A class that has both public and `#private` fields counts by the public ones, an array by its items.
 *
 * @returns 43 characters of base64url
 * @throws SerializationError with the path, such as `args[0].onSave`: give the method a `keyGenerator`
 */
export function argumentKey(args: readonly unknown[]): string {
  return createHash('sha256')
    .update(write(args, 'args', []))
    .digest('base64url')
}

function write(value: unknown, path: string, parents: readonly object[]): string {
  switch (typeof value) {
    case 'undefined':
      return 'u'
    case 'boolean':
      return value ? 'T' : 'F'
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      return `${value}n`
    case 'string':
      // JSON writes half a surrogate pair as an escape; UTF-8 would make all of them one.
      return JSON.stringify(value)
    case 'symbol': {
      const name = Symbol.keyFor(value)
      if (name === undefined) throw opaque(path, 'is a symbol')
      return `@${JSON.stringify(name)}`
    }
    case 'function':
      throw opaque(path, 'is a function')
    default:
      return value === null ? '_' : writeObject(value as object, path, parents)
  }
}

function writeObject(value: object, path: string, above: readonly object[]): string {
  if (above.includes(value)) throw opaque(path, 'refers back to an object that holds it')
  if (above.length >= MAX_DEPTH) throw opaque(path, `is nested deeper than ${MAX_DEPTH} levels`)
  const parents = [...above, value]
  if (Array.isArray(value)) {
    // A hole is not an undefined: `in` tells them apart.
    return `[${Array.from(value, (item, i) => (i in value ? write(item, `${path}[${i}]`, parents) : 'h')).join(',')}]`
  }
  // It shows fields of Node's own where asynchronous context is followed.
  if (value instanceof Promise) throw opaque(path, 'is a promise')
  if (value instanceof Date) return `%Date(${value.getTime()})`
  if (value instanceof RegExp) return `%RegExp(${JSON.stringify(String(value))})`
  if (value instanceof Map) {
    const entries = [...value].map(
      ([key, item], i) => `${write(key, `${path}.key(${i})`, parents)}:${write(item, `${path}.value(${i})`, parents)}`,
    )
    return `%Map{${entries.join(',')}}`
  }
  if (value instanceof Set) {
    return `%Set[${[...value].map((item, i) => write(item, `${path}.item(${i})`, parents)).join(',')}]`
  }
  const bytes = bytesOf(value)
  const name = quotedClassName(value)
  if (bytes !== undefined) return `${name}<${bytes.toString('base64')}>`
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return `${name}(${write(value.toJSON(), `${path}.toJSON()`, parents)})`
  }
  return `${name}{${fields(value, path, parents).join(',')}}`
}

/** Deep enough for data, and far from the end of the stack. */
const MAX_DEPTH = 500

function fields(value: object, path: string, parents: readonly object[]): string[] {
  const names = Object.keys(value).sort()
  const symbols = Object.getOwnPropertySymbols(value).filter((symbol) =>
    Object.prototype.propertyIsEnumerable.call(value, symbol),
  )
  if (names.length === 0 && symbols.length === 0 && hasBehaviour(value)) throw opaque(path, 'shows no fields')
  const record = value as Record<string | symbol, unknown>
  return [
    ...names.map((name) => `${JSON.stringify(name)}:${write(record[name], `${path}.${name}`, parents)}`),
    ...symbols
      .map(
        (symbol) =>
          `${write(symbol, `${path}[${String(symbol)}]`, parents)}:${write(record[symbol], `${path}[${String(symbol)}]`, parents)}`,
      )
      .sort(),
  ]
}

/** What shows no fields may be an empty DTO, or hide its state; only the second kind has a way to read it. */
function hasBehaviour(value: object): boolean {
  for (let type = prototypeOf(value); type !== null && type !== Object.prototype; type = prototypeOf(type)) {
    if (Reflect.ownKeys(type).some((key) => key !== 'constructor')) return true
  }
  return false
}

function bytesOf(value: object): Buffer | undefined {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return Buffer.from(value)
  return undefined
}

/** Quoted, so that no class can look like a built-in. Nothing for a plain object, of whatever realm, with or without a prototype. */
function quotedClassName(value: object): string {
  const type = prototypeOf(value)
  if (type === null || prototypeOf(type) === null) return ''
  const { constructor } = type as { constructor?: { name?: unknown } }
  return JSON.stringify(typeof constructor?.name === 'string' ? constructor.name : '')
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null
}

function opaque(path: string, problem: string): SerializationError {
  return new SerializationError(path, `${problem}, so no key can be made of it; give the method a \`keyGenerator\``)
}
