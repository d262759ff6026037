/** What the name of a field says of its value: the sum of those that hold, 0 for none. */
export const SECRET = 1
/** Its value may be a card number. */
export const CARD = 2
/** Inside an object whose own field is a {@link CARD} one, its value may be the card's number: `card: { number }`. */
export const NUMBER = 4

/**
 * Reads names of fields. A name is split at case and separators and compared word by word, from its end, so that `accessPin` is a PIN and
 * `shipping`, `spin` and `japan` are not; numbers at the end don't count (`cvv2`). Of the long words the end of a word is enough: names in
 * one case, such as `accesstoken`, have no other sign of where a word begins.
 */
export class SensitiveNames {
  private readonly fields: readonly string[]
  private readonly allowed: ReadonlySet<string>
  private readonly known = new Map<string, number>()

  /** @param fields names that are secret too, where a name ends in them. @param allow names that are harmless, whole. */
  constructor(fields: readonly string[], allow: readonly string[]) {
    this.fields = fields.map(wordsOf)
    this.allowed = new Set(allow.map(wordsOf))
  }

  /** The traits of a name. On the path of every write, for every field. */
  traits(name: string): number {
    const known = this.known.get(name)
    if (known !== undefined) return known
    const traits = this.judge(name)
    // Keys of objects that are used as maps are data: they may be many and long.
    if (name.length <= MAX_NAME_LENGTH) {
      if (this.known.size >= MAX_NAMES) this.known.clear()
      this.known.set(name, traits)
    }
    return traits
  }

  private judge(name: string): number {
    if (this.fields.length === 0 && !HINT.test(name)) return 0
    const all = wordsOf(name)
    if (all === '' || this.allowed.has(all)) return 0
    const words = all.replace(/ ?\d+$/, '')
    const secret =
      (SECRET_END.test(words) && !HARMLESS_END.test(words)) ||
      this.fields.some((field) => endsIn(words, field) || endsIn(all, field))
    return (secret ? SECRET : 0) | (CARD_WORD.test(words) ? CARD : 0) | (NUMBER_NAME.test(words) ? NUMBER : 0)
  }
}

/** The words of a name, in lower case, with one space between them: `APIToken`, `api_token` and `X-Api.Token` end in `api token`. */
export function wordsOf(name: string): string {
  return name
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase()
}

const MAX_NAMES = 2_048
const MAX_NAME_LENGTH = 64

/** Every name that the expressions below may match has one of these. */
const HINT = /passw|secret|token|cv[vc]|p[ia]n|card|credit|n(?:o|r|um|umber)[\W\d_]*$|digits|value/i
const SECRET_END = /(?:password|passwd|secret|token|(?:^| )(?:cvv|cvc|pin|pan))(?: ?hash)?$/
const HARMLESS_END = /(?:^| )(?:page|cursor|csrf) ?token$/
const CARD_WORD =
  /(?:^| )(?:(?:credit|debit|bank)?cards?|pans?|credits?|(?:credit|debit)?card(?:number|num|no|nr)|pan(?:number|num|no|nr))(?: |$)/
const NUMBER_NAME = /^(?:number|num|no|nr|digits|value)$/

function endsIn(words: string, end: string): boolean {
  const bare = words.endsWith(' hash') && !end.endsWith(' hash') ? words.slice(0, -' hash'.length) : words
  return bare === end || bare.endsWith(` ${end}`) || words === end
}
