/**
 * Interleaved rounds: A B C, then B C A, … so that what the machine does besides hits all alike. What counts is the ratio within a round;
 * of the ratios the median is told, with the lowest and the highest.
 *
 * @param contenders `{ name, run }`: `run(count)` does that many operations
 * @returns a row a contender: `{ name, perSecond, ratio, low, high, rates }`; the ratio is the first contender's throughput over this one's;
 * `rates` are the throughputs, one a round
 */
export async function interleave(contenders, { rounds, operations, warmUp = operations }) {
  for (const { run } of contenders) await run(warmUp)
  const rates = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (round + turn) % contenders.length
      const count = contenders[i].operations ?? operations
      const started = performance.now()
      await contenders[i].run(count)
      rates[i].push((count / (performance.now() - started)) * 1_000)
    }
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  return contenders.map(({ name }, i) => {
    const ratios = rates[i].map((rate, round) => rates[0][round] / rate)
    return {
      name,
      perSecond: median(rates[i]),
      ratio: median(ratios),
      low: Math.min(...ratios),
      high: Math.max(...ratios),
      rates: rates[i],
    }
  })
}

/** Runs `count` operations with so many callers at once; each begins its next one when its last is done. */
export function withCallers(callers, operation) {
  return async (count) => {
    let left = count
    const caller = async () => {
      while (left-- > 0) await operation()
    }
    await Promise.all(Array.from({ length: callers }, caller))
  }
}

/** Of two rows: how many times the throughput of the other, median of the rounds. */
export function timesOf(row, other) {
  return median(row.rates.map((rate, round) => rate / other.rates[round]))
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The value that so large a share of them does not exceed; undefined of none. */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** A seeded generator (mulberry32): every contender reads the same sequence of keys. */
export function seeded(seed) {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function printTable(title, rows) {
  console.log(`\n${title}`)
  const width = Math.max(...rows.map(({ name }) => name.length))
  for (const { name, perSecond, ratio, low, high } of rows) {
    const rate = Math.round(perSecond).toLocaleString('en').padStart(10)
    console.log(`  ${name.padEnd(width)} ${rate}/s   ${ratio.toFixed(2)} ×  (${low.toFixed(2)}–${high.toFixed(2)})`)
  }
}
