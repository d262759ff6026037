/** What the caches hold. */
export interface Row {
  readonly key: string
  readonly version: number
}

/** Longer than a test. */
export const TTL_S = 60

/** Keys by the way in which they are written; a test's load is a few keys that everybody wants. */
export const PLAIN = names('plain', 8)
export const TAGGED = names('tagged', 8)
/** Written through, by one writer at a time: two that know nothing of each other would be last-one-wins. */
export const THROUGH = names('through', 4)
export const KEYS = [...PLAIN, ...TAGGED, ...THROUGH]

/** Two tags an entry: the half that the key is in, and one that all of them carry. */
export function tagsOf(key: string): string[] {
  return key.startsWith('tagged:') ? [halfOf(key), EVERY] : []
}

/** All tags. */
export const TAGS: readonly string[] = ['half:0', 'half:1', 'every']
const EVERY = TAGS[2]!

/** The keys that carry a tag. */
export function carriersOf(tag: string): string[] {
  return TAGGED.filter((key) => tagsOf(key).includes(tag))
}

function halfOf(key: string): string {
  return TAGS[Number(key.split(':')[1]) % 2]!
}

function names(family: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${family}:${i}`)
}
