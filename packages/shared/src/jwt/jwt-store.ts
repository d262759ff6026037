import type { InvalidationSource } from '../kernel/coherent-map.js'

/**
 * The port: what the blacklist needs from storage. A store keeps marks, each a short text until a time, and the state of families of refresh
 * tokens; and it tells of every mark that was written. Each method is one atomic step in the store.
 *
 * What it leaves out is what a mark means, and what is done when there is no answer: they are the engine's.
 */
export interface JwtStore {
  /** Which marks were written, by their names; see {@link InvalidationSource} for what it promises. */
  readonly changes: InvalidationSource
  /** What stands at each mark. @throws JwtUnavailableError */
  read(marks: readonly string[]): Promise<readonly Standing[]>
  /** Sets a mark; nothing when its end is over, or the mark has a later one. @throws JwtUnavailableError */
  mark(mark: string, end: MarkEnd): Promise<void>
  /**
   * Sets a mark to a second since 1970, never to an earlier one than it has; `null` is the store's second now. Answers what stands there then.
   * It is kept for `keepMs` after that second, or after now where that is later.
   * @throws JwtUnavailableError
   */
  markBefore(mark: string, second: number | null, keepMs: number): Promise<number>
  /** A new family, of which `token` may be used. @throws JwtUnavailableError */
  begin(family: string, token: string, ttlMs: number): Promise<void>
  /** Replaces the token of a family that may be used. A token that was replaced before ends the family. @throws JwtUnavailableError */
  rotate(request: RotateRequest): Promise<Rotation>
  /** No token of the family may be used any more; sets its mark. @throws JwtUnavailableError */
  end(family: string, keepMs: number): Promise<void>
}

/** What was found at a mark. */
export interface Standing {
  /** Null: nothing. */
  readonly value: string | null
  /** The answer was redirected on its way (R20): it is not to be kept. */
  readonly redirected?: true
}

/** When a mark ends, on the store's own clock: at a time, ms since 1970, or so many ms from now. */
export type MarkEnd = { readonly atMs: number } | { readonly inMs: number }

/** A refresh token that was presented, and the one that is to follow it. */
export interface RotateRequest {
  readonly family: string
  /** The token that was presented. */
  readonly from: string
  /** The one that may be used from now on. */
  readonly to: string
  /** The family's life, from now, and that of the mark if it ends, ms. */
  readonly ttlMs: number
  /** For how long the token before may be presented again, ms. */
  readonly graceMs: number
}

/**
 * `rotated`: `to` may be used now. `repeated`: the token before was presented again within the grace; `token` is the one that may be used.
 * `reused`: a token that was replaced was presented, and the family has ended. `revoked`: it had ended before. `unknown`: there is none.
 */
export interface Rotation {
  readonly outcome: 'rotated' | 'repeated' | 'reused' | 'revoked' | 'unknown'
  /** Which may be used; undefined: none. */
  readonly token?: string | undefined
}

/** The mark of a family that has ended. */
export function familyMark(family: string): string {
  return `{f:${family}}:ended`
}
