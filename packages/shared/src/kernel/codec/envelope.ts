import { constants, isUtf8 } from 'node:buffer'
import { parseTags, tagsText } from './tag-text.js'
import { isVersionText } from './version.js'

/**
 * The form in which an entry lies in Redis: a one-line header, then the payload.
 *
 *     v1 F gggggggggggggg eeeeeeee SSSSSSSSSSSSS HHHHHHHHHHHHH s delta version tags\n
 *     payload
 *
 * F is the codec's character, g the generation (14 digits), e the shard epoch (8 characters), S and H the soft and hard expiry in Redis ms
 * (13 digits: until the year 2286). These have fixed places, so parsing them is slicing, and a script reads them with `string.sub`, which
 * counts from 1: g 6–19, e 21–28, S 30–42, H 44–56, and the rest from 58. Then the tag sequence, the load time in ms – and behind a slash, where
 * its writer has said so, for how many ms a process may keep the value in its memory –, the version (`-`: none) and the tags, joined with `,`
 * (`-`: none), whose odd characters are escaped.
 *
 * A codec in lower case has a payload of UTF-8 text, one in upper case a payload of bytes.
 */
export interface Envelope {
  /** Generation of the tag clock when its load began. */
  readonly g: string
  /** Sequence of the tag clock when its load began. */
  readonly s: number
  /** Epoch of the server it was written to. */
  readonly e: string
  /** Soft and hard expiry. Equal without grace. */
  readonly softAt: number
  readonly hardAt: number
  /** How long its load took; 0 for a direct write. */
  readonly deltaMs: number
  /** For how long a process may keep it in its memory, ms; 0: not at all; undefined: its writer has not said. */
  readonly nearMs?: number | undefined
  /** One letter: lower case when the payload is text, upper case when it is bytes. */
  readonly codec: string
  /** As `versionText` writes it. */
  readonly version: string | null
  readonly tags: readonly string[]
  readonly payload: string | Buffer
}

/** The codec of a value that another program wrote: JSON text without a header. It is never written. */
export const FOREIGN_CODEC = 'f'

/** An entry before the script that stores it adds its expiries from the server's clock. */
export type UnstampedEnvelope = Omit<Envelope, 'softAt' | 'hardAt'>

/**
 * The two parts between which the expiries stand: stored is `head .. soft .. ' ' .. hard .. ' ' .. tail`, both written with 13 digits. The
 * tail is bytes when the payload is.
 * @throws TypeError g, e, the codec or the version don't have their form: the entry could never be read again
 */
export function envelopeParts(entry: UnstampedEnvelope): { head: string; tail: string | Buffer } {
  const { codec, payload } = entry
  const head = `v1 ${codec} ${entry.g} ${entry.e} `
  if (head.length !== SOFT_AT || codec.length !== 1 || entry.g.length !== 14) {
    throw new TypeError('an envelope needs a codec of 1, a generation of 14 and an epoch of 8 characters')
  }
  if (!(typeof payload === 'string' ? /[a-eg-z]/ : /[A-Z]/).test(codec)) {
    throw new TypeError(`a payload of ${typeof payload === 'string' ? 'text' : 'bytes'} can't have the codec ${codec}`)
  }
  if (entry.version !== null && !isVersionText(entry.version)) throw new TypeError('the version is no version text')
  const near = entry.nearMs === undefined ? '' : `/${Math.ceil(entry.nearMs)}`
  const line = `${entry.s} ${Math.round(entry.deltaMs)}${near} ${entry.version ?? '-'} ${tagsText(entry.tags)}\n`
  return { head, tail: typeof payload === 'string' ? line + payload : Buffer.concat([Buffer.from(line), payload]) }
}

/**
 * Reads a stored value. JSON text without a header is another program's value: codec {@link FOREIGN_CODEC}, an empty generation and epoch,
 * no tags, and expiries of `Infinity`, because only the key knows its own. `null` for everything else: a truncated entry, one of another
 * format version, bytes that are no JSON. Never throws. The hottest function of the toolkit: every hit of Redis passes here.
 */
export function parseStored(bytes: Buffer): Envelope | null {
  if (bytes.length > constants.MAX_STRING_LENGTH) return null
  // No JSON text begins with a v.
  if (bytes[0] !== SMALL_V) return parseForeign(bytes)
  const codec = bytes[CODEC_AT] as number
  // One decoding for header and payload: for 400 bytes of ASCII two of them take half as long again.
  if (codec >= SMALL_A && codec <= SMALL_Z && codec !== SMALL_F) return parseEntry(bytes.toString(), null)
  if (!(codec >= CAPITAL_A && codec <= CAPITAL_Z)) return null
  const payloadAt = bytes.indexOf(NEWLINE) + 1
  return payloadAt === 0 ? null : parseEntry(bytes.toString('utf8', 0, payloadAt), ownBytes(bytes, payloadAt))
}

/** The text is the whole entry, or its header line when the payload is bytes. */
function parseEntry(text: string, bytes: Buffer | null): Envelope | null {
  if (!text.startsWith('v1 ') || text.charCodeAt(4) !== SPACE) return null
  const g = generationOf(text)
  const e = epochOf(text)
  if (g === null || e === null) return null
  const softAt = digits(text, SOFT_AT, HARD_AT - 1)
  const hardAt = digits(text, HARD_AT, REST_AT - 1)
  if (softAt < 0 || hardAt < 0) return null
  const sEnd = text.indexOf(' ', REST_AT)
  if (sEnd < 0) return null
  const deltaEnd = text.indexOf(' ', sEnd + 1)
  if (deltaEnd < 0) return null
  const versionEnd = text.indexOf(' ', deltaEnd + 1)
  if (versionEnd < 0) return null
  const s = digits(text, REST_AT, sEnd)
  if (s < 0) return null
  let deltaMs = digits(text, sEnd + 1, deltaEnd)
  let nearMs: number | undefined
  if (deltaMs < 0) {
    const slash = text.indexOf('/', sEnd + 1)
    if (slash < 0 || slash > deltaEnd) return null
    deltaMs = digits(text, sEnd + 1, slash, SLASH)
    nearMs = digits(text, slash + 1, deltaEnd)
    if (deltaMs < 0 || nearMs < 0) return null
  }
  const end = text.indexOf('\n', versionEnd + 1)
  if (end < 0) return null
  const version = versionOf(text, deltaEnd + 1, versionEnd)
  const tags = tagsOf(text, versionEnd + 1, end)
  if (version === undefined || tags === null) return null
  const payload = bytes ?? text.slice(end + 1)
  return { g, s, e, softAt, hardAt, deltaMs, nearMs, codec: text.charAt(CODEC_AT), version, tags, payload }
}

function parseForeign(bytes: Buffer): Envelope | null {
  // Bytes that are no UTF-8 would be read as U+FFFD: another value than the one stored.
  if (!isUtf8(bytes)) return null
  const payload = bytes.toString()
  if (!isJson(payload)) return null
  return { ...FOREIGN, payload }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return false
    throw error
  }
}

/**
 * The bytes from `from` on. A client gives windows into what its socket read, up to the whole chunk of 64 KiB or the buffer in which it
 * joined several, and a window keeps all of it alive: so a copy, except of a payload that is itself the better half of that memory.
 */
function ownBytes(bytes: Buffer, from: number): Buffer {
  const window = bytes.subarray(from)
  return window.length * 2 >= window.buffer.byteLength ? window : Buffer.from(window)
}

const CODEC_AT = 3
const G_AT = 5
const E_AT = 20
const SOFT_AT = 29
const HARD_AT = 43
const REST_AT = 57
const NEWLINE = 10
const SPACE = 32
const SLASH = 47
const ZERO = 48
const CAPITAL_A = 65
const CAPITAL_Z = 90
const SMALL_A = 97
const SMALL_F = 102
const SMALL_V = 118
const SMALL_Z = 122

/** The decimal number that fills [from, to), followed by a space, or what else is given; -1 for anything else. */
function digits(text: string, from: number, to: number, end = SPACE): number {
  const length = to - from
  if (length < 1 || length > 15 || text.charCodeAt(to) !== end) return -1
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - ZERO
    // Also false for NaN, past the end.
    if (!(digit >= 0 && digit <= 9)) return -1
    value = value * 10 + digit
  }
  return value
}

/**
 * The generation and the epoch of the last entry read. They hardly ever differ from one entry to the next, a comparison costs less than a
 * slice, and a slice of the text that someone keeps would keep the whole text.
 */
let lastG = ''
let lastE = ''

function generationOf(text: string): string | null {
  if (lastG !== '' && text.startsWith(lastG, G_AT) && text.charCodeAt(E_AT - 1) === SPACE) return lastG
  if (digits(text, G_AT, E_AT - 1) < 0) return null
  return (lastG = detached(text.slice(G_AT, E_AT - 1)))
}

function epochOf(text: string): string | null {
  if (lastE !== '' && text.startsWith(lastE, E_AT) && text.charCodeAt(SOFT_AT - 1) === SPACE) return lastE
  const e = text.slice(E_AT, SOFT_AT - 1)
  if (!/^[^\s]{8}$/.test(e) || text.charCodeAt(SOFT_AT - 1) !== SPACE) return null
  return (lastE = e)
}

/** A copy of its own: V8 keeps the whole text alive behind a slice of 13 or more characters. */
function detached(slice: string): string {
  return Buffer.from(slice).toString()
}

function versionOf(text: string, from: number, to: number): string | null | undefined {
  if (to === from + 1 && text.charCodeAt(from) === DASH) return null
  const version = text.slice(from, to)
  if (!isVersionText(version)) return undefined
  return version.length < 13 ? version : detached(version)
}

const DASH = 45
const NO_TAGS: readonly string[] = Object.freeze([])
const FOREIGN: Omit<Envelope, 'payload'> = {
  g: '',
  s: 0,
  e: '',
  softAt: Infinity,
  hardAt: Infinity,
  deltaMs: 0,
  nearMs: undefined,
  codec: FOREIGN_CODEC,
  version: null,
  tags: NO_TAGS,
}

/**
 * Tag lists by their text. Entries of one kind share few of them, and a known list costs one look-up, gives the same strings again (whose
 * hashes are then computed), and no garbage. Emptied when full: a program with ever new lists pays the parsing, not memory.
 */
const tagLists = new Map<string, readonly string[]>()
const TAG_LISTS_LIMIT = 4_096
const TAG_LIST_TEXT_LIMIT = 256

function tagsOf(text: string, from: number, to: number): readonly string[] | null {
  if (to === from + 1 && text.charCodeAt(from) === DASH) return NO_TAGS
  const list = text.slice(from, to)
  const known = tagLists.get(list)
  if (known !== undefined) return known
  if (list.length > TAG_LIST_TEXT_LIMIT) return parseTags(list)
  const own = detached(list)
  const tags = parseTags(own)
  if (tags === null) return null
  if (tagLists.size >= TAG_LISTS_LIMIT) tagLists.clear()
  tagLists.set(own, tags)
  return tags
}
