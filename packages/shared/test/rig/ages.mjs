/**
 * How old what was read was: counts by age, in steps of 4 %, from a twentieth of a millisecond on. A fresh read has no age.
 *
 * The names of the counts (`age <level> <up to so many ms>`) are what processes tell their parent, so that the counts of all add up.
 */
const SMALLEST_MS = 0.05
const STEPS_AN_OCTAVE = 16
const STEPS = 20 * STEPS_AN_OCTAVE

export class Ages {
  /** @type {Map<string, { fresh: number, stale: Uint32Array, maxMs: number }>} */
  #levels = new Map()

  /** @param {string} level @param {number} ms 0 or less: it was the newest */
  add(level, ms) {
    let of = this.#levels.get(level)
    if (of === undefined) this.#levels.set(level, (of = { fresh: 0, stale: new Uint32Array(STEPS + 1), maxMs: 0 }))
    if (!(ms > 0)) return void of.fresh++
    of.stale[stepOf(ms)]++
    if (ms > of.maxMs) of.maxMs = ms
  }

  /** As counts with names. */
  counts() {
    const counts = {}
    for (const [level, { fresh, stale, maxMs }] of this.#levels) {
      counts[`age ${level} fresh`] = fresh
      counts[`max age ${level}`] = maxMs
      stale.forEach((count, step) => {
        if (count > 0) counts[`age ${level} ${upTo(step)}`] = count
      })
    }
    return counts
  }
}

/** @param {number} ms */
const stepOf = (ms) => Math.min(STEPS, Math.max(0, Math.ceil(STEPS_AN_OCTAVE * Math.log2(ms / SMALLEST_MS))))

/** The greatest age of a step, ms. @param {number} step */
const upTo = (step) => (SMALLEST_MS * 2 ** (step / STEPS_AN_OCTAVE)).toPrecision(4)
