import { hash } from 'node:crypto'

/**
 * A text that may come from the network, as the last part of a key: whatever it holds, bounded, and no two the same. Printable ASCII of up to 128
 * characters stays as it is; all else is its SHA-256, behind a sign that no plain text begins with.
 */
export function keyPart(text: string): string {
  return PLAIN.test(text) ? text : `#${sha256(text)}`
}

/** As {@link keyPart}, for a part that others follow, or that stands in a hash tag: nothing of it is a `:`, a brace or a space. */
export function keySegment(text: string): string {
  return PLAIN_SEGMENT.test(text) ? text : `#${sha256(text)}`
}

/** SHA-256 as base64url. Of UTF-16: UTF-8 has no form for half a surrogate pair. */
export function sha256(text: string): string {
  return hash('sha256', Buffer.from(text, 'utf16le'), 'base64url')
}

const PLAIN = /^[!"$-~][ -~]{0,127}$/
const PLAIN_SEGMENT = /^[\w.@+=/-]{1,128}$/
