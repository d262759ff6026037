import { types } from 'node:util'
import { ConfigurationError, SerializationError } from '../kernel/errors.js'
import { isCardNumber, isCardNumberValue } from './card-number.js'
import { CARD, NUMBER, SECRET, SensitiveNames, wordsOf } from './sensitive-names.js'

/** What a cache does with values that should not lie in Redis. */
export interface SensitiveOptions {
  /**
   * `reject`: a write throws `SensitiveDataError`; `skip`: it stores nothing. A loaded value is in both cases handed out and not stored.
   * `off`: nothing is looked at. @default 'reject'
   */
  readonly action?: 'reject' | 'skip' | 'off' | undefined
  /** Names that are secret too, where the name of a field ends in them: `iban` also means `customerIban` and `iban_hash`. @default [] */
  readonly fields?: readonly string[] | undefined
  /** Names of fields that are harmless; the whole name, in whatever case: `resetToken` does not mean `token`. @default [] */
  readonly allow?: readonly string[] | undefined
}

/**
 * Finds what should not be cached, by the names of fields.
 *
 * A field is sensitive when its name, split at case and separators, ends in `password`, `passwd`, `secret`, `token`, `cvv`, `cvc`, `pin` or
 * `pan`, alone or followed by `hash`, but for `pageToken`, `cursorToken` and `csrfToken`, and its value is a string or bytes, not empty; or
 * when its name has `card`, `pan` or `credit` and the value is a card number. Items of an array or Set go by the name of their list, a
 * Map's by their key, and `number` inside a `card` is the card's. It looks at what would be stored: own enumerable fields, or what `toJSON`
 * answers.
 */
export class SensitiveData {
  readonly action: 'reject' | 'skip' | 'off'
  private readonly names: SensitiveNames

  /** @throws ConfigurationError */
  constructor(options: SensitiveOptions = {}) {
    const { action = 'reject', fields = [], allow = [] } = options
    if (!ACTIONS.has(action)) throw new ConfigurationError('sensitive.action', "must be 'reject', 'skip' or 'off'")
    assertNames('sensitive.fields', fields)
    assertNames('sensitive.allow', allow)
    this.action = action
    this.names = new SensitiveNames(fields, allow)
  }

  /**
   * Where the first sensitive field of a value is, such as `$.users[3].password`; null: there is none, or the action is `off`. Reads a
   * getter once, as far as it looks, and throws what it throws.
   * @throws SerializationError a `toJSON` failed, or the value is nested deeper than the stack: it can't be encoded either
   */
  find(value: unknown): string | null {
    if (this.action === 'off' || typeof value !== 'object' || value === null) return null
    try {
      const at = new Walk(this.names).inObject(value, 0, '', false)
      return at === null ? null : `$${at}`
    } catch (error) {
      if (error instanceof RangeError)
        throw new SerializationError('$', 'nested too deeply; store it in smaller parts', error)
      throw error
    }
  }
}

/**
 * A path of {@link SensitiveData.find} without the numbers of items: rows of a list that differ in nothing else are one place, so that what
 * happens at every load is told once.
 */
export function placeOf(path: string): string {
  return path.replace(/\[\d+\]/g, '[]')
}

/** One look at one value. */
class Walk {
  private readonly ancestors: object[] = []
  /** The names of the ancestors; the value itself has none. */
  private readonly path: string[] = []
  /** The prototype of the last instance that is no more than its fields: rows of a table have one class. */
  private lastRecord: unknown

  constructor(private readonly names: SensitiveNames) {}

  /**
   * The path from an object to what is sensitive in it: '' the object itself, null nothing.
   * @param traits of the field that it stands in. @param substituted it came from a `toJSON`; its own is not called, as in JSON.stringify
   */
  inObject(value: object, traits: number, at: string, substituted: boolean): string | null {
    const isArray = Array.isArray(value)
    const prototype: unknown = isArray ? null : Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null && prototype !== this.lastRecord) {
      if (types.isDate(value)) return null
      if (types.isUint8Array(value)) return (traits & SECRET) !== 0 && value.byteLength > 0 ? '' : null
      if (types.isBoxedPrimitive(value)) return this.inValue(value.valueOf(), traits, at)
      if (types.isMap(value) || types.isSet(value)) return this.inside(value, traits, at)
      this.lastRecord = prototype
    }
    if (!substituted && typeof (value as Partial<Substituting>).toJSON === 'function') {
      const substitute = this.substituteOf(value as Substituting, at)
      return typeof substitute === 'object' && substitute !== null
        ? this.inObject(substitute, traits, at, true)
        : this.inValue(substitute, traits, at)
    }
    return this.inside(value, traits, at)
  }

  private inValue(value: unknown, traits: number, at: string): string | null {
    switch (typeof value) {
      case 'string':
        if (traits === 0 || value === '') return null
        return (traits & SECRET) !== 0 || ((traits & CARD) !== 0 && isCardNumber(value)) ? '' : null
      case 'number':
      case 'bigint':
        return (traits & CARD) !== 0 && isCardNumberValue(value) ? '' : null
      case 'object':
        return value === null ? null : this.inObject(value, traits, at, false)
      default:
        return null
    }
  }

  /** A cycle can't be stored, and is not for this class to report. */
  private inside(value: object, traits: number, name: string): string | null {
    const { ancestors } = this
    for (let i = ancestors.length - 1; i >= 0; i--) if (ancestors[i] === value) return null
    ancestors.push(value)
    this.path.push(name)
    const at = Array.isArray(value)
      ? this.inItems(value, traits)
      : types.isMap(value)
        ? this.inEntries(value, traits)
        : types.isSet(value)
          ? this.inItems([...value], traits)
          : this.inFields(value as Record<string, unknown>, traits)
    ancestors.pop()
    this.path.pop()
    return at
  }

  private inFields(fields: Record<string, unknown>, outer: number): string | null {
    const names = Object.keys(fields)
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      const value = fields[name]
      if (value === null || value === '' || typeof value === 'boolean') continue
      if (typeof value === 'number' && value < 1e12) continue
      const at = this.inValue(value, this.traitsOf(name, outer), name)
      if (at !== null) return step(name) + at
    }
    return null
  }

  private inItems(items: readonly unknown[], traits: number): string | null {
    for (let i = 0; i < items.length; i++) {
      const item = items[i]
      if (traits === 0 && typeof item !== 'object') continue
      const at = this.inValue(item, traits, String(i))
      if (at !== null) return `[${i}]${at}`
    }
    return null
  }

  private inEntries(map: ReadonlyMap<unknown, unknown>, outer: number): string | null {
    let i = 0
    for (const [key, value] of map) {
      const named = typeof key === 'string'
      const inKey = named ? null : this.inValue(key, 0, String(i))
      if (inKey !== null) return `[${i}]${inKey}`
      const at = this.inValue(value, named ? this.traitsOf(key, outer) : outer, named ? key : String(i))
      if (at !== null) return (named ? step(key) : `[${i}]`) + at
      i++
    }
    return null
  }

  private substituteOf(value: Substituting, at: string): unknown {
    try {
      return value.toJSON(at)
    } catch (cause) {
      const names = this.path.length === 0 ? [] : [...this.path.slice(1), at]
      throw new SerializationError(`$${names.map(step).join('')}`, 'its toJSON failed, see the cause', cause)
    }
  }

  private traitsOf(name: string, outer: number): number {
    const traits = this.names.traits(name)
    return (traits & NUMBER) !== 0 && (outer & CARD) !== 0 ? traits | CARD : traits
  }
}

interface Substituting {
  toJSON(key: string): unknown
}

const ACTIONS: ReadonlySet<unknown> = new Set(['reject', 'skip', 'off'])
function assertNames(option: string, names: readonly string[]): void {
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && wordsOf(name) !== ''))
    throw new ConfigurationError(option, 'must be a list of names, each with a letter or a digit')
}

function step(name: string): string {
  if (/^\d+$/.test(name)) return `[${name}]`
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}
