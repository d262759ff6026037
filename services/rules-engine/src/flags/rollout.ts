import { createHash } from 'node:crypto'
import type { Variant } from './flag.entity.js'
import type { FlagEvaluation } from './flag.schemas.js'

/** The roll-out in hundredths of a percent. */
const STEPS = 10_000

/** What an evaluation looks at. */
export interface Rollout {
  readonly key: string
  readonly enabled: boolean
  readonly rollout: number
  readonly variants: readonly Variant[]
  readonly allowList: readonly string[]
}

/**
 * Whether a flag is on for a subject, and in which variant. It depends on the flag and the subject's id alone: the same answer in every process
 * and at every time, and nobody for whom it is on loses it when the percentage grows. Flags choose independently of each other, and so do the
 * variants of the roll-out.
 */
export function evaluated(flag: Rollout, subject: string): FlagEvaluation {
  const { key, enabled, rollout, variants, allowList } = flag
  const off: FlagEvaluation = { key, subject, enabled: false, reason: 'rollout', variant: null }
  if (!enabled) return { ...off, reason: 'off' }
  const allowed = allowList.includes(subject)
  if (!allowed && share('rollout', key, subject) * STEPS >= Math.round(rollout * 100)) return off
  const variant = chosen(variants, share('variant', key, subject))
  return { key, subject, enabled: true, reason: allowed ? 'allow-list' : 'rollout', variant }
}

/** A number in [0, 1), the same for the same words. SHA-256 spreads ids that differ in one digit evenly. */
function share(...words: readonly string[]): number {
  const digest = createHash('sha256').update(words.join('\0')).digest()
  // 48 bits: as many as a float divides exactly.
  return digest.readUIntBE(0, 6) / 2 ** 48
}

function chosen(variants: readonly Variant[], share: number): string | null {
  let left = share * variants.reduce((sum, { weight }) => sum + weight, 0)
  for (const { name, weight } of variants) {
    left -= weight
    if (left < 0) return name
  }
  return null
}
