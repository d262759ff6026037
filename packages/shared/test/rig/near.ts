/** The cache's option `l1`, as the race sets it: every field that its judgements depend on. */
export type Near =
  | false
  | {
      readonly values: 'copy' | 'frozen' | 'shared'
      /** Ms, or none at all. */
      readonly staleness: number | 'strict'
      readonly maxEntries?: number
      /** s */
      readonly ttl?: number
    }

/** How a process remembers. */
export interface Sort {
  readonly l1: Near
  /** Its user may not track keys, where there is such a user: it hears of writes by messages (R23). */
  readonly isRefused?: boolean
}

/**
 * How the processes of a fleet remember what they have read: each in its own way, and a successor in the next one. The bounds on staleness are
 * such that some processes are behind theirs after a short stop, and others are not.
 */
const SORTS: readonly Sort[] = [
  { l1: { values: 'copy', staleness: 2_000 } },
  { l1: { values: 'frozen', staleness: 500, ttl: 2 } },
  // Fewer than there are keys: some are pushed out all the time.
  { l1: { values: 'shared', staleness: 500, maxEntries: 12 } },
  { l1: { values: 'copy', staleness: 'strict' } },
  { l1: false },
  // As long as the longest of the others: theirs bounds how soon they know that they have not heard of it.
  { l1: { values: 'copy', staleness: 2_000 }, isRefused: true },
]

/** @param number of the process @param generation how many went before it in its place */
export function sortOf(number: number, generation: number): Sort {
  return SORTS[(number + generation) % SORTS.length]!
}
