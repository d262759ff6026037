import { types } from 'node:util'
import { SerializationError } from '../errors.js'

/**
 * The marks of codec `t` (see json.ts for their table): a writer that turns a value into plain JSON data with marked strings and arrays, and
 * the way back.
 *
 * Strings that begin with `~` are written with one more, so every unescaped `~` is ours and no user's data can be mistaken for it, at any
 * nesting. Field names are never marked and need no escape.
 */

/** Copies only what it has to mark, remembers whether it marked anything, and knows where it is when it fails. */
export class TypedWriter {
  marked = false
  private readonly ancestors = new Set<object>()
  private readonly path: (string | number)[] = []

  write(value: unknown, at: string | number, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return this.writeString(value)
      case 'boolean':
        return value
      case 'number':
        if (isJsonNumber(value)) return value
        return this.mark(Number.isNaN(value) ? '~N' : value === 0 ? '~0' : value > 0 ? '~+' : '~-')
      case 'bigint':
        return this.mark(`~n${value}`)
      case 'undefined':
        return this.mark('~u')
      case 'function':
      case 'symbol':
        this.path[depth] = at
        throw new SerializationError(this.where(depth), `a ${typeof value} can't be stored; remove it`)
      default:
        return value === null ? null : this.writeObject(value as object, at, depth)
    }
  }

  protected writeString(value: string): string {
    return value.charCodeAt(0) === TILDE ? `~${value}` : value
  }

  protected writeBytes(value: Uint8Array): unknown {
    return this.mark((Buffer.isBuffer(value) ? '~B' : '~U') + base64(value))
  }

  private writeObject(value: object, at: string | number, depth: number): unknown {
    this.path[depth] = at
    if (this.ancestors.has(value)) {
      throw new SerializationError(
        this.where(depth),
        'the value contains itself here; store an id instead of the reference',
      )
    }
    this.ancestors.add(value)
    const written = this.writeByKind(value, at, depth, false)
    this.ancestors.delete(value)
    return written
  }

  private writeByKind(value: object, at: string | number, depth: number, substituted: boolean): unknown {
    const isArray = Array.isArray(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (!isArray && prototype !== Object.prototype && prototype !== null) {
      if (types.isDate(value)) return this.mark(`~D${value.getTime()}`)
      if (types.isMap(value)) return this.mark(['~M', ...this.writeItems([...value].flat(1), depth)])
      if (types.isSet(value)) return this.mark(['~S', ...this.writeItems([...value], depth)])
      if (types.isUint8Array(value)) return this.writeBytes(value)
      if (types.isBoxedPrimitive(value)) return this.write(value.valueOf(), at, depth)
    }
    // As in JSON.stringify, a substitute's own toJSON is not called.
    if (substituted || typeof (value as Partial<Substituting>).toJSON !== 'function') {
      const written = isArray ? this.writeItems(value, depth) : this.writeFields(value, depth)
      // Still the substitute itself, with an inherited toJSON that JSON.stringify would call.
      if (!substituted || written !== value || !('toJSON' in value)) return written
      return isArray ? Array.from(value) : { ...value }
    }
    const substitute = this.substituteOf(value as Substituting, at, depth)
    if (typeof substitute !== 'object' || substitute === null) return this.write(substitute, at, depth)
    return this.writeByKind(substitute, at, depth, true)
  }

  private substituteOf(value: Substituting, at: string | number, depth: number): unknown {
    try {
      return value.toJSON(String(at))
    } catch (cause) {
      throw new SerializationError(this.where(depth), 'its toJSON failed, see the cause', cause)
    }
  }

  protected writeItems(items: readonly unknown[], depth: number): readonly unknown[] {
    let copy: unknown[] | undefined
    for (let i = 0; i < items.length; i++) {
      const item = items[i]
      const written = this.write(item, i, depth + 1)
      if (copy === undefined && written !== item) copy = items.slice(0, i)
      if (copy !== undefined) copy.push(written)
    }
    return copy ?? items
  }

  protected writeFields(value: object, depth: number): object {
    const fields = value as Record<string, unknown>
    const names = Object.keys(fields)
    let copy: Record<string, unknown> | undefined
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string
      const field = fields[name]
      const written = this.write(field, name, depth + 1)
      if (copy === undefined && written !== field) {
        copy = {}
        for (let before = 0; before < i; before++) put(copy, names[before] as string, fields[names[before] as string])
      }
      if (copy !== undefined) put(copy, name, written)
    }
    return copy ?? value
  }

  protected mark<Written>(written: Written): Written {
    this.marked = true
    return written
  }

  /** `$.a[3]["odd name"]`. Entries of a Map are counted as key, value, key, value. */
  private where(depth: number): string {
    let text = '$'
    for (const at of this.path.slice(1, depth + 1)) {
      if (typeof at === 'number') text += `[${at}]`
      else text += /^[A-Za-z_$][\w$]*$/.test(at) ? `.${at}` : `[${JSON.stringify(at)}]`
    }
    return text
  }
}

interface Substituting {
  toJSON(key: string): unknown
}

export const TILDE = '~'.charCodeAt(0)

/** Sets a field. An assignment to `__proto__` would set the copy's prototype instead of a field. */
export function put(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[name] = value
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Works in place: what `JSON.parse` made belongs to nobody else. Own fields only, so a field `__proto__` is read and written as a field. */
export function revive(value: unknown): unknown {
  if (typeof value === 'string') return value.charCodeAt(0) === TILDE ? reviveMark(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return reviveItems(value)
  const fields = value as Record<string, unknown>
  for (const name of Object.keys(fields)) {
    const field = fields[name]
    if (typeof field === 'string' ? field.charCodeAt(0) === TILDE : typeof field === 'object') {
      const revived = revive(field)
      if (revived !== field) fields[name] = revived
    }
  }
  return fields
}

function reviveItems(items: unknown[]): unknown {
  const kind = items[0]
  const from = kind === '~M' || kind === '~S' ? 1 : 0
  for (let i = from; i < items.length; i++) items[i] = revive(items[i])
  if (kind === '~S') return new Set(items.slice(1))
  if (kind !== '~M') return items
  const map = new Map<unknown, unknown>()
  for (let i = 1; i < items.length; i += 2) map.set(items[i], items[i + 1])
  return map
}

export function reviveMark(mark: string): unknown {
  switch (mark.charAt(1)) {
    case '~':
      return mark.slice(1)
    case 'D':
      return new Date(Number(mark.slice(2)))
    case 'u':
      return undefined
    case 'n':
      return BigInt(mark.slice(2))
    case 'B':
      return Buffer.from(mark.slice(2), 'base64')
    case 'U':
      // A copy with an ArrayBuffer of its own: small Buffers are windows into a pool.
      return new Uint8Array(Buffer.from(mark.slice(2), 'base64'))
    case 'N':
      return NaN
    case '+':
      return Infinity
    case '-':
      return -Infinity
    case '0':
      return -0
    default:
      throw unreadable('the stored text has a mark that this release does not know')
  }
}

/** Finite and not -0. */
export function isJsonNumber(value: number): boolean {
  return value === 0 ? 1 / value > 0 : value - value === 0
}

export function unreadable(problem: string): SerializationError {
  return new SerializationError('$', `${problem}; delete the key, or read it with the release that wrote it`)
}

export function notStored(): SerializationError {
  return new SerializationError('$', 'undefined is never stored; use null, or delete the key')
}

export function tooDeep(cause: RangeError): SerializationError {
  return new SerializationError(
    '$',
    'nested too deeply, or longer than a string can be; store it in smaller parts',
    cause,
  )
}
