import { types } from 'node:util'
import { TypedWriter, isJsonNumber, notStored, revive, tooDeep, unreadable } from './typed-json.js'

/**
 * Type-faithful JSON: what went in comes out, and plain data pays nothing for it.
 *
 * Codec `j` is `JSON.stringify`'s text, read by a bare `JSON.parse`. It is used when the value is plain JSON data, which a cheap look decides.
 * Codec `t` is JSON too, with the types JSON lacks written as marked strings and marked arrays:
 *
 *     undefined "~u"    NaN "~N"    Infinity "~+"    -Infinity "~-"    -0 "~0"    bigint "~n123"
 *     Date "~D<ms>"     Buffer "~B<base64>"     Uint8Array "~U<base64>"
 *     Map ["~M", key, value, key, value …]      Set ["~S", item …]
 *
 * Strings that begin with `~` are written with one more. In `j` nothing is marked and nothing is escaped.
 */
export type JsonCodec = 'j' | 't'

/** A value as it is stored. */
export interface EncodedJson {
  readonly codec: JsonCodec
  readonly payload: string
}

/**
 * Writes a value. Class instances are written as JSON does it: by their `toJSON`, else by their own enumerable fields. Holes of sparse arrays
 * become `undefined`. An object that is reachable twice is written twice. Subclasses of Date, Map, Set and Uint8Array come back as these.
 * @throws SerializationError with the path: a function, a symbol, a cycle, nesting deeper than the stack, or `undefined` as the whole value
 */
export function encodeJson(value: unknown): EncodedJson {
  if (value === undefined) throw notStored()
  lastRecord = undefined
  try {
    if (looksPlain(value, 0)) return { codec: 'j', payload: JSON.stringify(value) }
    const writer = new TypedWriter()
    const written = writer.write(value, '', 0)
    if (written === '~u') throw notStored()
    // Nothing to mark after all (a `toJSON`, deep nesting): the marked copy may hold escaped strings, so it is not what is written.
    return writer.marked
      ? { codec: 't', payload: JSON.stringify(written) }
      : { codec: 'j', payload: JSON.stringify(value) }
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(error)
    throw error
  }
}

/**
 * Reads what {@link encodeJson} wrote; codec `j` also reads the JSON of other writers.
 * @throws SerializationError the text is not of that codec. The parser's own error is not kept as the cause: it quotes the text.
 */
export function decodeJson(codec: string, payload: string): unknown {
  if (codec !== 'j' && codec !== 't') throw unreadable(`unknown codec '${codec}'`)
  try {
    const value: unknown = JSON.parse(payload)
    return codec === 'j' ? value : revive(value)
  } catch (error) {
    if (error instanceof SyntaxError) throw unreadable('the stored text is not valid JSON')
    if (error instanceof RangeError) throw tooDeep(error)
    throw error
  }
}

/** Deeper values take the careful way, which tells a cycle from deep nesting. */
const QUICK_DEPTH = 200

/** `true` only when `JSON.stringify` writes the value so that `JSON.parse` gives it back; in doubt `false`. */
function looksPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return isJsonNumber(value)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth > QUICK_DEPTH) return false
  if (Array.isArray(value)) {
    if ('toJSON' in value) return false
    for (let i = 0; i < value.length; i++) {
      if (!looksPlain(value[i], depth + 1)) return false
    }
    return true
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null && prototype !== lastRecord) {
    if (!isRecord(value)) return false
    lastRecord = prototype
  }
  // for-in also walks inherited fields: at worst that sends a plain value the careful way.
  for (const name in value) {
    if (!looksPlain((value as Record<string, unknown>)[name], depth + 1)) return false
  }
  return true
}

/** The prototype of the last instance that passed {@link isRecord} in this call: rows of a table have one class. */
let lastRecord: unknown

/** A class instance that is no more than its fields: no type of ours and no `toJSON`. Realms don't matter to these tests. */
function isRecord(value: object): boolean {
  return !(
    types.isDate(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isUint8Array(value) ||
    types.isBoxedPrimitive(value) ||
    typeof (value as { toJSON?: unknown }).toJSON === 'function'
  )
}
