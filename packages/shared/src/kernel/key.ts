import { InvalidKeyError } from './errors.js'

/** The longest key, tag, lock or channel name, in UTF-8 bytes. */
export const MAX_KEY_BYTES = 1_024

/**
 * Refuses what can't be a key: an empty string, more than 1,024 UTF-8 bytes, control characters (they break logs and `redis-cli`), or half a
 * surrogate pair (UTF-8 has no form for it, so two different keys would become one). On the path of every call.
 * @param what names the argument in the error.
 * @throws InvalidKeyError
 */
export function assertKey(key: string, what = 'key'): void {
  if (typeof key !== 'string' || key.length === 0 || key.length > MAX_KEY_BYTES || !PRINTABLE_ASCII.test(key)) {
    assertUnusualKey(key, what)
  }
}

/** Escapes `text` so that, as a part of a Redis glob (`deleteByPattern`), it matches itself and nothing else. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}

/** The group under which a key is counted: its first segment (`product:t1:42` → `product`), or the whole key when it has no `:`. */
export function keyGroup(key: string): string {
  const end = key.indexOf(':')
  return end === -1 ? key : key.slice(0, end)
}

const PRINTABLE_ASCII = /^[ -~]+$/
const CONTROL = /\p{Cc}/u
const LONE_SURROGATE = /\p{Cs}/u

function assertUnusualKey(key: unknown, what: string): void {
  if (typeof key !== 'string')
    throw new InvalidKeyError(`${what} must be a string, not ${key === null ? 'null' : typeof key}`)
  if (key.length === 0) throw new InvalidKeyError(`${what} is empty; give it at least one character`)
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY_BYTES) {
    throw new InvalidKeyError(
      `${what} has ${bytes} bytes, the most is ${MAX_KEY_BYTES}; shorten it or use a hash of its long part`,
    )
  }
  const control = CONTROL.exec(key)
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    throw new InvalidKeyError(
      `${what} has a control character (U+${code}) at position ${control.index}; remove or encode it`,
    )
  }
  const lone = LONE_SURROGATE.exec(key)
  if (lone !== null)
    throw new InvalidKeyError(
      `${what} has half a surrogate pair at position ${lone.index}; it was cut inside a character`,
    )
}
