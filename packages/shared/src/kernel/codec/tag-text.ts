/**
 * Tags as an envelope's header holds them: joined with `,` (`-`: none), and escaped where a character would end the word or the line.
 */

/** The text of a list of tags. */
export function tagsText(tags: readonly string[]): string {
  return tags.length === 0 ? '-' : tags.map(escapeWord).join(',')
}

/** Reads what {@link tagsText} wrote, except the empty list; null for any other text. */
export function parseTags(list: string): readonly string[] | null {
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
