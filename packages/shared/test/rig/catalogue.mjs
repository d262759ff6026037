/**
 * The keys that the race is about: few, so that every one of them is hot, and a family for each way in which values are kept fresh.
 *
 * - `plain` keys have no tags; their writers delete them, by name or by pattern, or hold them.
 * - `tagged` keys have three tags; their writers delete them, or invalidate or hold one of the tags.
 * - `part` keys are invalidated by tag alone, because `page` keys are made of them: a page's load reads parts through the cache, and the page
 *   carries the tags of its parts.
 *   `page:2` is made of keys without tags, and deleted by whoever deletes one of these, after it.
 * - `through` keys are written through with `set`, one writer at a time, or deleted; they share a tag with others.
 * - `quiet` keys are deleted too, but seldom: they lie in a process's memory until it must have noticed by itself that it hears nothing.
 * - `duel` keys are written by two versioned `set`s at a time, of which the newer one has to win.
 */
const PLAIN = names('plain', 4)
const TAGGED = names('tagged', 6)
const PARTS = names('part', 4)
const THROUGH = names('through', 3)
const DUEL = names('duel', 2)
const QUIET = names('quiet', 3)
const PAGES = names('page', 3)

/** The page of keys without tags. */
export const PAGE_OF_QUIET = 'page:2'

/** Keys with a version in the database. */
export const VERSIONED = [...PLAIN, ...TAGGED, ...PARTS, ...THROUGH, ...DUEL, ...QUIET]

/** Keys by family. */
export const FAMILIES = {
  plain: PLAIN,
  tagged: TAGGED,
  part: PARTS,
  through: THROUGH,
  duel: DUEL,
  quiet: QUIET,
  page: PAGES,
}

/** Patterns, each with the keys that it matches. */
export const PATTERNS = [
  { glob: 'plain:*', keys: PLAIN },
  { glob: 'plain:[01]', keys: PLAIN.slice(0, 2) },
  { glob: 'tagged:?', keys: TAGGED },
  { glob: '*gged:[^0-2]', keys: TAGGED.slice(3) },
]

/** Keys that are seldom read: what is wrong with them stays wrong until somebody looks. */
export const COOL = ['plain:3', 'tagged:4', 'tagged:5', 'part:3', 'through:2']

/** What a page is made of. @param {string} page @returns {string[]} */
export const partsOf = (page) =>
  page === PAGE_OF_QUIET ? QUIET.slice(0, 2) : PARTS.filter((_, i) => Math.floor(i / 2) === Number(page.split(':')[1]))

/** What a value is made of: the versioned keys whose state it shows. @param {string} key @returns {string[]} */
export const sourcesOf = (key) => (key.startsWith('page:') ? partsOf(key) : [key])

/** @param {string} key @returns {string[]} */
export function tagsOf(key) {
  const [family, number] = key.split(':')
  const i = Number(number)
  switch (family) {
    case 'tagged':
      return [`owner:${i % 2}`, `status:${i % 3}`, `item:${i}`]
    case 'through':
      return [`owner:${i % 2}`, `through:${i}`]
    case 'part':
      return [`shelf:${i % 2}`, `part:${i}`]
    case 'page':
      return [...new Set(partsOf(key).flatMap(tagsOf))]
    default:
      return []
  }
}

/** Tags by which the keys of a family are invalidated, each with the keys of the family that carry it. @param {'tagged' | 'part'} family */
export function tagged(family) {
  const keys = FAMILIES[family]
  return [...new Set(keys.flatMap(tagsOf))].map((tag) => ({
    tag,
    keys: keys.filter((key) => tagsOf(key).includes(tag)),
  }))
}

/** @param {string} family @param {number} count */
function names(family, count) {
  return Array.from({ length: count }, (_, i) => `${family}:${i}`)
}
