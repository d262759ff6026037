/**
 * A seeded source of numbers: the same seed gives the same sequence on every machine, so seed data and burst traffic can be repeated.
 * mulberry32: 32 bits of state and integer operations only. Not for secrets.
 */
export class Prng {
  constructor(private state: number) {}

  /** A float in [0, 1). */
  float(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** An integer in [from, to], both included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from + 1))
  }

  /** One of the items; the list must not be empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(0, items.length - 1)]
    if (item === undefined) throw new RangeError('Nothing to pick from: the list is empty')
    return item
  }
}
