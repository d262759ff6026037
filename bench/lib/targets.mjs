/** Says how it stands with an aim; without an aim it is only told. */
export function target(what, value, aim) {
  const verdict = aim === undefined ? '' : ` (at least ${aim}) ${value >= aim ? '✓' : '✗'}`
  console.log(`  → ${what}: ${value.toFixed(2)} ×${verdict}`)
}

export const title = (callers) => (callers === 1 ? 'one after the other' : `${callers} callers`)

/**
 * Runs the parts of a race, or the one that is named, and closes what was opened, last first.
 * @param prepare opens what all parts need
 */
export async function runParts(parts, { only, rounds, closers, prepare = () => undefined }) {
  try {
    if (only !== undefined && !Object.hasOwn(parts, only)) {
      throw new Error(`name one of ${Object.keys(parts).join(', ')}`)
    }
    console.log(
      `Node ${process.version}; ratio = our throughput / theirs, medians of ${rounds} interleaved rounds (lowest–highest)`,
    )
    await prepare()
    for (const [name, run] of Object.entries(parts)) if (only === undefined || only === name) await run()
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}
