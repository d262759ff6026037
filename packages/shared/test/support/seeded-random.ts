import type { RandomSource } from '../../src/kernel/random.js'

/** The same numbers for the same seed, for ever (mulberry32). Tokens are unique by counting. */
export class SeededRandom implements RandomSource {
  private state: number
  private tokens = 0

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e3779b1) ^ 0x5bf03635
  }

  readonly float = (): number => {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  int(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  token(): string {
    return `token-${++this.tokens}`
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.float() < probability
  }

  /** One of these. */
  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!
  }
}
