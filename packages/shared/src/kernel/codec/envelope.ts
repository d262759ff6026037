/**
 * The form in which an entry lies in Redis: a one-line header, then the payload.
 *
 *     v1 F gggggggggggggg eeeeeeee SSSSSSSSSSSSS HHHHHHHHHHHHH s delta version tags\n
 *     payload
 *
 * F is the codec's character, g the generation (14 digits), e the shard epoch (8 characters), S and H the soft and hard expiry in Redis ms
 * (13 digits: until the year 2286). These have fixed places, so parsing them is slicing, and a script reads them with `string.sub`, which
 * counts from 1: g 6–19, e 21–28, S 30–42, H 44–56, and the rest from 58. Then the tag sequence, the load time in ms, the version (`-`: none)
 * and the tags, joined with `,` (`-`: none), whose odd characters are escaped.
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
  readonly codec: string
  readonly version: string | null
  readonly tags: readonly string[]
  readonly payload: string
}

/** An entry before the script that stores it adds its expiries from the server's clock. */
export type UnstampedEnvelope = Omit<Envelope, 'softAt' | 'hardAt'>

/**
 * The two texts between which the expiries stand: stored is `head .. soft .. ' ' .. hard .. ' ' .. tail`, both written with 13 digits.
 * @throws TypeError g, e or the codec don't have the width of their place: the entry could never be read again
 */
export function envelopeParts(entry: UnstampedEnvelope): { head: string; tail: string } {
  const head = `v1 ${entry.codec} ${entry.g} ${entry.e} `
  if (head.length !== SOFT_AT || entry.codec.length !== 1 || entry.g.length !== 14) {
    throw new TypeError('an envelope needs a codec of 1, a generation of 14 and an epoch of 8 characters')
  }
  const version = entry.version === null ? '-' : escapeWord(entry.version)
  const tail = `${entry.s} ${Math.round(entry.deltaMs)} ${version} ${tagsText(entry.tags)}\n${entry.payload}`
  return { head, tail }
}

/**
 * Reads a stored text. `null` for anything that is not exactly this format: another writer's value, a truncated one, another version.
 * Never throws. The hottest function of the toolkit: every hit of Redis passes here.
 */
export function parseEnvelope(text: string): Envelope | null {
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
  const deltaMs = digits(text, sEnd + 1, deltaEnd)
  if (s < 0 || deltaMs < 0) return null
  const end = text.indexOf('\n', versionEnd + 1)
  if (end < 0) return null
  const version = versionOf(text, deltaEnd + 1, versionEnd)
  const tags = tagsOf(text, versionEnd + 1, end)
  if (version === undefined || tags === null) return null
  return { g, s, e, softAt, hardAt, deltaMs, codec: text.charAt(CODEC_AT), version, tags, payload: text.slice(end + 1) }
}

const CODEC_AT = 3
const G_AT = 5
const E_AT = 20
const SOFT_AT = 29
const HARD_AT = 43
const REST_AT = 57
const SPACE = 32
const ZERO = 48

/** The decimal number that fills [from, to), followed by a space; -1 for anything else. */
function digits(text: string, from: number, to: number): number {
  const length = to - from
  if (length < 1 || length > 15 || text.charCodeAt(to) !== SPACE) return -1
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
  return unescapeWord(text.slice(from, to))
}

const DASH = 45
const NO_TAGS: readonly string[] = Object.freeze([])

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

function parseTags(list: string): readonly string[] | null {
  if (list.includes(' ')) return null
  const tags = list.split(',')
  const escaped = list.includes('%')
  for (let i = 0; i < tags.length; i++) {
    const word = tags[i] as string
    const tag = escaped ? unescapeWord(word) : isBareWord(word) ? word : undefined
    if (tag === undefined) return null
    tags[i] = tag
  }
  return Object.freeze(tags)
}

function tagsText(tags: readonly string[]): string {
  return tags.length === 0 ? '-' : tags.map(escapeWord).join(',')
}

/** A word without space, comma, newline and `%`, that is neither empty (a lone `%`) nor `-`. */
function escapeWord(word: string): string {
  if (word === '') return '%'
  if (word === '-') return '%2D'
  if (!/[%, \n]/.test(word)) return word
  return word.replace(/[%, \n]/g, (odd) => ESCAPES[odd] as string)
}

/** `undefined`: {@link escapeWord} never writes this. */
function unescapeWord(word: string): string | undefined {
  if (word === '%') return ''
  if (word === '%2D') return '-'
  if (!isBareWord(word) || /[ ,\n]|%(?!25|2C|20|0A)/.test(word)) return undefined
  return word.replace(/%(?:25|2C|20|0A)/g, (escape) => UNESCAPES[escape] as string)
}

/** Neither of the two words that are written escaped although their characters are ordinary. */
function isBareWord(word: string): boolean {
  return word !== '' && word !== '-'
}

const ESCAPES: Readonly<Record<string, string>> = { '%': '%25', ',': '%2C', ' ': '%20', '\n': '%0A' }
const UNESCAPES: Readonly<Record<string, string>> = { '%25': '%', '%2C': ',', '%20': ' ', '%0A': '\n' }
