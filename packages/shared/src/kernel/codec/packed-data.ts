import { TILDE, TypedWriter, put, reviveMark, unreadable } from './typed-json.js'

/**
 * The marks of MessagePack values. MessagePack has bytes and NaN, but no undefined, Map, Set, bigint or -0, and what its library does with class
 * instances, and with fields named `constructor` or `__proto__`, is its own affair. So it is given only plain data, with the same marks
 * as typed JSON (typed-json.ts), except:
 *
 *     Buffer: as bytes    Uint8Array ["~U", bytes]    a string with half a surrogate pair "~w<JSON text>"
 *     an object with an odd field name ["~O", name, value, name, value …]
 */
export class PackedWriter extends TypedWriter {
  protected override writeString(value: string): string {
    // UTF-8 has no form for a lone surrogate.
    return isWellFormed(value) ? super.writeString(value) : `~w${JSON.stringify(value)}`
  }

  protected override writeBytes(value: Uint8Array): unknown {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return Buffer.isBuffer(value) ? bytes : this.mark(['~U', bytes])
  }

  protected override writeItems(items: readonly unknown[], depth: number): readonly unknown[] {
    const written = super.writeItems(items, depth)
    return Object.getPrototypeOf(written) === Array.prototype ? written : Array.from(written)
  }

  protected override writeFields(value: object, depth: number): object {
    const names = Object.keys(value)
    if (names.some(isOdd)) {
      const fields = value as Record<string, unknown>
      return this.mark(['~O', ...names.flatMap((name) => [this.writeString(name), this.write(fields[name], name, depth + 1)] as const)]) // prettier-ignore
    }
    const written = super.writeFields(value, depth)
    return Object.getPrototypeOf(written) === Object.prototype ? written : { ...written }
  }
}

/** The way back. Works in place: what the library made belongs to nobody else. Bytes are copied: they are windows into what was read. */
export function reviveUnpacked(value: unknown): unknown {
  if (typeof value === 'string') return value.charCodeAt(0) === TILDE ? reviveString(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (Array.isArray(value)) return reviveItems(value)
  // What the library makes of extensions and of the byte that is never used. The writer has neither.
  if (Object.getPrototypeOf(value) !== Object.prototype) throw unreadable('the stored bytes hold an unknown type')
  const fields = value as Record<string, unknown>
  for (const name of Object.keys(fields)) {
    const field = fields[name]
    if (typeof field === 'string' ? field.charCodeAt(0) === TILDE : typeof field === 'object') {
      fields[name] = reviveUnpacked(field)
    }
  }
  return fields
}

function reviveItems(items: unknown[]): unknown {
  const kind = items[0]
  if (kind === '~U') return new Uint8Array(items[1] as Uint8Array)
  const from = kind === '~M' || kind === '~S' || kind === '~O' ? 1 : 0
  for (let i = from; i < items.length; i++) items[i] = reviveUnpacked(items[i])
  if (kind === '~S') return new Set(items.slice(1))
  if (kind === '~M') {
    const map = new Map<unknown, unknown>()
    for (let i = 1; i < items.length; i += 2) map.set(items[i], items[i + 1])
    return map
  }
  if (kind !== '~O') return items
  const object = {}
  for (let i = 1; i < items.length; i += 2) put(object, items[i] as string, items[i + 1])
  return object
}

function reviveString(text: string): unknown {
  return text.charCodeAt(1) === SMALL_W ? JSON.parse(text.slice(2)) : reviveMark(text)
}

const SMALL_W = 'w'.charCodeAt(0)

/** Names that the library's ways with objects would trip over, and names that UTF-8 can't hold. */
function isOdd(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'toJSON' || !isWellFormed(name)
}

/** `String.prototype.isWellFormed`, which Node 20 has and ES2023's types don't. */
function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed()
}
