/** Random choices that a seed repeats: mulberry32 behind the questions that a round asks. */
export class Seeded {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed >>> 0
  }

  /** In [0, 1). */
  float() {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** @param {number} bound */
  int(bound) {
    return Math.floor(this.float() * bound)
  }

  /** @param {number} probability */
  chance(probability) {
    return this.float() < probability
  }

  /**
   * @template T
   * @param {readonly T[]} list
   * @returns {T}
   */
  pick(list) {
    return list[this.int(list.length)]
  }

  /**
   * `count` different elements, in random order.
   * @template T
   * @param {readonly T[]} list
   * @param {number} count
   * @returns {T[]}
   */
  some(list, count) {
    const rest = [...list]
    return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(this.int(rest.length), 1)[0])
  }

  /**
   * One of the choices, by weight.
   * @template T
   * @param {readonly (readonly [number, T])[]} choices
   * @returns {T}
   */
  weighted(choices) {
    let point = this.float() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choice] of choices) if ((point -= weight) < 0) return choice
    return choices[0][1]
  }

  /** The seed of one of many that run side by side. @param {...number} path */
  static seedOf(...path) {
    return path.reduce((seed, part) => (Math.imul(seed ^ part, 0x9e3779b1) ^ (seed >>> 13)) >>> 0, 0x2545f491)
  }
}
