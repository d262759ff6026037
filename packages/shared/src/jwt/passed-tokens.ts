import { LRUCache } from 'lru-cache'
import type { CoherentMap, Kept } from '../kernel/coherent-map.js'

/** What of a token decides whether it is revoked. */
export interface Asked {
  readonly jti: unknown
  readonly sub: unknown
  readonly iat: unknown
  readonly tenant: unknown
  readonly family: unknown
  readonly token: string | undefined
}

/**
 * Tokens that were asked about before and were not revoked, each with what stood at its marks: while all of that still stands, so does the answer. It
 * costs one look-up, where the marks cost one each, and their names the hash of the token.
 */
export class PassedTokens<Answer> {
  private readonly passed: LRUCache<string, Passed<Answer>>

  /** @param maxBytes how much they may weigh together; their marks are weighed by `near` */
  constructor(
    private readonly near: CoherentMap<Answer>,
    maxBytes: number,
  ) {
    this.passed = new LRUCache({ maxSize: maxBytes })
  }

  /** Whether it is known, by what `near` proves to be fresh, that this token is not revoked. */
  has(asked: Asked, now: number): boolean {
    const { jti } = asked
    if (typeof jti !== 'string') return false
    const before = this.passed.get(jti)
    return before !== undefined && isSame(before.asked, asked) && this.near.holds(before.standing, now)
  }

  /** @param standing what was found at all of its marks, in this very moment */
  add(asked: Asked, standing: readonly Kept<Answer>[]): void {
    const { jti, token } = asked
    if (typeof jti !== 'string') return
    this.passed.set(jti, { asked, standing }, { size: ENTRY_BYTES + jti.length + (token?.length ?? 0) })
  }
}

interface Passed<Answer> {
  readonly asked: Asked
  readonly standing: readonly Kept<Answer>[]
}

const ENTRY_BYTES = 300

function isSame(one: Asked, other: Asked): boolean {
  return (
    one.sub === other.sub &&
    one.iat === other.iat &&
    one.tenant === other.tenant &&
    one.family === other.family &&
    one.token === other.token
  )
}
