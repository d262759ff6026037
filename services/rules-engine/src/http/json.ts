import { z } from 'zod'

/** Bounds of JSON that a client may store. */
export interface JsonBounds {
  readonly maxDepth: number
  /** Of its text. */
  readonly maxBytes: number
}

/** Checks a piece of JSON against its bounds; used as a refinement, after the parts that zod itself checks. */
export const within =
  ({ maxDepth, maxBytes }: JsonBounds) =>
  (value: unknown, context: z.RefinementCtx): void => {
    // The depth first: what is too deep must not reach a recursive function.
    if (isDeeperThan(value, maxDepth)) {
      context.addIssue({ code: 'custom', message: `must be nested at most ${maxDepth} levels deep` })
    } else if (Buffer.byteLength(JSON.stringify(value) ?? '') > maxBytes) {
      context.addIssue({ code: 'custom', message: `must have at most ${maxBytes} bytes as JSON` })
    }
  }

function isDeeperThan(value: unknown, depth: number): boolean {
  let level: unknown[] = [value]
  for (let at = 0; level.length > 0; at++) {
    if (at > depth) return true
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  }
  return false
}
