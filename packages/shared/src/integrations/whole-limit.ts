/**
 * A limit as other libraries take it, fractions, negatives and `Infinity` too, as `hit` takes it. Hits are whole and at least 1, so what is beyond
 * the one is beyond the other; 100,000,000 hits of one client in one window are none that anybody limits.
 */
export function wholeLimit(limit: number): number {
  return Math.min(Math.max(0, Math.floor(limit)), 100_000_000)
}
