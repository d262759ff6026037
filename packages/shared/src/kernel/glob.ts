/**
 * A matcher of Redis globs, as `SCAN … MATCH` and `PSUBSCRIBE` know them (`stringmatchlen` of its util.c): `*` any bytes, `?` one byte,
 * `[abc]`, `[^abc]` and `[a-z]` one of a set, `\x` the character x. Case counts.
 *
 * It is exact, oddities included: texts are compared byte by byte in UTF-8, so `?` is half an `ü` and `[ü]` is either of its bytes; `[` that
 * is never closed goes on to the end of the glob; `[]` matches nothing and `[^]` any byte; `[z-a]` is `[a-z]`; `]` may end a range. Bytes
 * above 127 sort below the others inside a range, as `char` is signed where Redis usually runs.
 *
 * Needs time in proportion to the glob times the text at most: every part but `*` takes one byte, so only the last `*` is ever tried again.
 */
export function globMatcher(glob: string): (text: string) => boolean {
  const parts = partsOf(Buffer.from(glob))
  return (text) => matches(parts, Buffer.from(text))
}

/** Which bytes may stand at one place of the text; null: `*`. */
type Part = Uint8Array | null

function matches(parts: readonly Part[], text: Uint8Array): boolean {
  let part = 0
  let at = 0
  /** The part behind the last `*`, and where its next try begins. */
  let retryPart = -1
  let retryAt = 0
  while (at < text.length) {
    const wanted = parts[part]
    if (wanted === null) {
      retryPart = ++part
      retryAt = at
    } else if (wanted !== undefined && wanted[text[at]!] === 1) {
      part++
      at++
    } else if (retryPart >= 0) {
      part = retryPart
      at = ++retryAt
    } else {
      return false
    }
  }
  while (parts[part] === null) part++
  return part === parts.length
}

function partsOf(glob: Uint8Array): Part[] {
  const parts: Part[] = []
  for (let at = 0; at < glob.length; at++) {
    if (glob[at] === STAR) {
      if (parts.at(-1) !== null) parts.push(null)
    } else if (glob[at] === QUESTION_MARK) {
      parts.push(new Uint8Array(BYTES).fill(1))
    } else if (glob[at] === BRACKET) {
      const { set, end } = setOf(glob, at + 1)
      parts.push(set)
      at = end
    } else {
      // A backslash that ends the glob means itself.
      if (glob[at] === BACKSLASH && at + 1 < glob.length) at++
      parts.push(only(glob[at]!))
    }
  }
  return parts
}

/** The set that begins behind the bracket at `from`, and where it ends: at its `]`, or at the last byte of the glob. */
function setOf(glob: Uint8Array, from: number): { set: Uint8Array; end: number } {
  const set = new Uint8Array(BYTES)
  const not = glob[from] === CARET
  let at = not ? from + 1 : from
  for (; at < glob.length && glob[at] !== CLOSING_BRACKET; at++) {
    if (glob[at] === BACKSLASH && at + 1 < glob.length) {
      set[glob[++at]!] = 1
    } else if (glob[at + 1] === DASH && at + 2 < glob.length) {
      addRange(set, signed(glob[at]!), signed(glob[at + 2]!))
      at += 2
    } else {
      set[glob[at]!] = 1
    }
  }
  return { set: not ? set.map((in_) => 1 - in_) : set, end: Math.min(at, glob.length - 1) }
}

function addRange(set: Uint8Array, one: number, other: number): void {
  for (let byte = Math.min(one, other); byte <= Math.max(one, other); byte++) set[byte & 0xff] = 1
}

const signed = (byte: number): number => (byte << 24) >> 24

function only(byte: number): Uint8Array {
  const set = new Uint8Array(BYTES)
  set[byte] = 1
  return set
}

const BYTES = 256
const STAR = 0x2a
const QUESTION_MARK = 0x3f
const BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const BACKSLASH = 0x5c
const CARET = 0x5e
const DASH = 0x2d
