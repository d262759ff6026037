import { randomBytes, randomFillSync } from 'node:crypto'

/** Randomness as the engines see it. Tests inject a seeded one. */
export interface RandomSource {
  /** A float in [0, 1), as `Math.random`. */
  float(): number
  /** An integer in [0, bound); `bound` is at most 2^48. Unpredictable in the system source. */
  int(bound: number): number
  /** A token that no other caller of any process will get: 22 base64url characters, 128 bits. */
  token(): string
}

/** Randomness of this machine's CSPRNG. `float` is `Math.random`: it only spreads work out. */
export const systemRandom: RandomSource = {
  float: Math.random,
  int: (bound) => randomBytes(6).readUIntBE(0, 6) % bound,
  token: () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    return pool.toString('base64url', used, (used += TOKEN_BYTES))
  },
}

const TOKEN_BYTES = 16
/** The CSPRNG is asked for many tokens at once: asking costs ten times what a token does. Nothing of it is used twice. */
const pool = Buffer.allocUnsafeSlow(256 * TOKEN_BYTES)
let used = pool.length
