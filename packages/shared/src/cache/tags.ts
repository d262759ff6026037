import { InvalidKeyError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'
import type { Scope } from './scope.js'

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

/** The caller's tags as they are stored, with the marks of the scope behind them. @throws InvalidKeyError, TenantKeyError */
export function storedTags(scope: Scope, tags: readonly string[]): readonly string[] {
  const own = checkTags(tags)
  if (own.length === 0) return scope.marks
  const mapped = own.map((tag) => scope.tag(tag))
  return scope.marks.length === 0 ? mapped : [...mapped, ...scope.marks]
}

/** Two lists of {@link storedTags}. @throws InvalidKeyError they are too many */
export function joinedTags(one: readonly string[], other: readonly string[]): readonly string[] {
  const joined = [...new Set([...one, ...other])]
  if (joined.length > MAX_TAGS + MOST_MARKS)
    throw new InvalidKeyError(`an entry has at most ${MAX_TAGS} tags, not ${joined.length}`)
  return joined
}

/** Of a tenant's user: both scopes'. */
const MOST_MARKS = 2
