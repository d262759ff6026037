/** What the caches of a simulation hold. */
export interface Row {
  readonly name: string
  readonly tags: readonly string[]
  /** Written by `set` too, so its writers take turns. */
  readonly set?: true
  /** Written by `set` with a version, by writers who don't know of each other. It stands alone: see the theme that is about it. */
  readonly versioned?: true
  /** Computed from another key, which its loader reads through the cache. */
  readonly from?: string
}

/** More than a table of marks holds. */
export const MANY_TAGS = Array.from({ length: 110 }, (_, i) => `filler-${i}`)

/** `c` and `d` are written by `set`, `v` with versions; `f` is computed from `e`; reading `filler` makes a table of marks forget all others. */
export const CATALOGUE: readonly Row[] = [
  { name: 'a', tags: [] },
  { name: 'b', tags: ['x', 'y'] },
  { name: 'c', tags: ['y', 'z'], set: true },
  { name: 'd', tags: [], set: true },
  { name: 'e', tags: ['x'] },
  { name: 'f', tags: ['x'], from: 'e' },
  { name: 'filler', tags: MANY_TAGS },
  { name: 'v', tags: [], versioned: true },
]

/** Globs, and what they match among the names above. */
export const GLOBS: readonly (readonly [glob: string, matches: RegExp])[] = [
  ['*', /^/],
  ['?', /^.$/],
  ['[abe]', /^[abe]$/],
  ['[^cd]*', /^[^cd]/],
  ['[d-f]', /^[d-f]$/],
  ['\\b', /^b$/],
]

export const TAGS = ['x', 'y', 'z'] as const

const ROWS = new Map(CATALOGUE.map((row) => [row.name, row]))

export const rowOf = (key: string): Row => ROWS.get(key)!

/** The key whose value it shows. */
export const sourceOf = (key: string): string => rowOf(key).from ?? key
