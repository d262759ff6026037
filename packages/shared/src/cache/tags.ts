import { InvalidKeyError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'

/** Most tags of one entry: they travel in its header with every read. */
export const MAX_TAGS = 128

const NONE: readonly string[] = Object.freeze([])

/** The tags of an entry, each once, in a list of their own: the caller's array stays the caller's. @throws InvalidKeyError */
export function checkTags(tags: readonly string[]): readonly string[] {
  if (tags.length === 0) return NONE
  for (const tag of tags) assertKey(tag, 'tag')
  const unique = tags.length === 1 ? [tags[0]!] : [...new Set(tags)]
  if (unique.length > MAX_TAGS) throw new InvalidKeyError(`an entry has at most ${MAX_TAGS} tags, not ${unique.length}`)
  return unique
}
