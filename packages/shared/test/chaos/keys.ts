/** A lock, and the row that it protects. */
export interface ChaosKey {
  readonly key: string
  /** Replicas that must have it before it counts. */
  readonly replicas: number
}

export const OPERATIONS = ['numbers', 'stock', 'postings'] as const
export type Operation = (typeof OPERATIONS)[number]

/** The locks of each operation. */
export interface ChaosKeys {
  readonly numbers: readonly ChaosKey[]
  readonly stock: readonly ChaosKey[]
  readonly accounts: readonly ChaosKey[]
}

/**
 * So few that there is always somebody who waits.
 * @param clerks of all processes @param replicated where there is a replica, every other lock asks for it
 */
export function chaosKeys(clerks: number, replicated: boolean): ChaosKeys {
  const some = (name: string, clerksOfOne: number): ChaosKey[] =>
    Array.from({ length: Math.max(2, Math.ceil(clerks / clerksOfOne)) }, (_, i) => ({
      key: `lock:${name}:${i}`,
      replicas: replicated ? i % 2 : 0,
    }))
  return { numbers: some('invoice-number', 8), stock: some('stock', 8), accounts: some('account', 5) }
}

export function allKeys(keys: ChaosKeys): ChaosKey[] {
  return [...keys.numbers, ...keys.stock, ...keys.accounts]
}
