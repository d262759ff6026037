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

/**
 * How the processes of a fleet remember what they have read: each in its own way, and a successor in the next one. The bounds on staleness are
 * such that some processes are behind theirs after a short stop, and others are not.
 */
const NEAR: readonly Near[] = [
  { values: 'copy', staleness: 2_000 },
  { values: 'frozen', staleness: 500, ttl: 2 },
  // Fewer than there are keys: some are pushed out all the time.
  { values: 'shared', staleness: 500, maxEntries: 12 },
  { values: 'copy', staleness: 'strict' },
  false,
]

/** @param number of the process @param generation how many went before it in its place */
export function nearOf(number: number, generation: number): Near {
  return NEAR[(number + generation) % NEAR.length]!
}
