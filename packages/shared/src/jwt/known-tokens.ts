import { LRUCache } from 'lru-cache'
import type { CoherentMap, Kept } from '../kernel/coherent-map.js'
import type { Asked, Reason } from './questions.js'

/** What is known of a token. */
export interface Verdict {
  /** Undefined: it is not revoked. */
  readonly by: Reason | undefined
}

/**
 * Tokens that were asked about before, each with what stood at its marks: while all of that still stands, so does the answer. It costs one look-up,
 * where the marks cost one each, and their names the hash of the token.
 */
export class KnownTokens<Answer> {
  private readonly tokens: LRUCache<string, KnownToken<Answer>>

  /** @param maxBytes how much they may weigh together; their marks are weighed by `near` @param names of claims */
  constructor(
    private readonly near: CoherentMap<Answer>,
    maxBytes: number,
    private readonly names: { readonly tenantClaim: string; readonly familyClaim: string },
  ) {
    this.tokens = new LRUCache({ maxSize: maxBytes })
  }

  /** What `near` proves to be so still; undefined: nothing. */
  find(claims: Readonly<Record<string, unknown>>, token: string | undefined, now: number): Verdict | undefined {
    const { jti } = claims
    const known = typeof jti === 'string' ? this.tokens.get(jti) : undefined
    if (known === undefined) return undefined
    const { asked, standing } = known
    const isSame =
      claims.sub === asked.sub &&
      claims.iat === asked.iat &&
      claims[this.names.tenantClaim] === asked.tenant &&
      claims[this.names.familyClaim] === asked.family &&
      token === asked.token
    return isSame && this.near.holds(standing, now) ? known : undefined
  }

  /** @param standing what the answer follows from: what was found at all of its marks, or at the one that revokes it, in this very moment */
  add(asked: Asked, by: Reason | undefined, standing: readonly Kept<Answer>[]): void {
    const { jti } = asked
    if (typeof jti !== 'string') return
    let size = ENTRY_BYTES
    for (const part of Object.values(asked)) if (typeof part === 'string') size += part.length
    this.tokens.set(jti, { asked, by, standing }, { size })
  }
}

interface KnownToken<Answer> extends Verdict {
  readonly asked: Asked
  readonly standing: readonly Kept<Answer>[]
}

/** What it weighs beside its texts. */
const ENTRY_BYTES = 300
