import type { RandomSource } from '../kernel/random.js'
import type { StoredEntry } from './cache-store.js'

/**
 * Stale, or by chance a little sooner, the likelier the nearer the end and the longer its load: so that the first of many callers loads
 * before all of them miss (R15). XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015,
 * β = 1.
 */
export function isRefreshDue(
  { softAt, deltaMs }: StoredEntry,
  nowMs: number,
  early: boolean,
  random: RandomSource,
): boolean {
  if (nowMs >= softAt) return true
  // Most hits need neither the logarithm nor chance.
  if (!early || nowMs + FARTHEST_REFRESH * deltaMs < softAt) return false
  return deltaMs > 0 && nowMs - deltaMs * Math.log(1 - random.float()) >= softAt
}

/**
 * Sooner than that many load times before its end no entry is refreshed: the smallest share that chance can answer is 2^−53, a double's, and
 * its logarithm is above −37.
 */
export const FARTHEST_REFRESH = 37
