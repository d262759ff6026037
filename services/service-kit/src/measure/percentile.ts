/** Nearest rank: the smallest value that at least `percent` of the values do not exceed. @throws RangeError there are none */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]
  if (value === undefined) throw new RangeError('No percentile of nothing')
  return value
}
