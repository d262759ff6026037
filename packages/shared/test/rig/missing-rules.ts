import { edit, type Edit } from '../mutation/mutant.js'

/** A rule of the near cache, and the source without it. */
export interface MissingRule {
  readonly name: string
  readonly rule: string
  readonly edits: readonly Edit[]
}

const MAP = 'kernel/coherent-map.ts'
const NEAR = 'cache/near-cache.ts'

/**
 * What the rig is proven with: without any of these it has to find a stale read (`npm run rig -- --teeth`). The mutation gate finds each with a
 * directed test too, within a second; here they are found by processes that know nothing of the rule.
 */
export const MISSING_RULES: readonly MissingRule[] = [
  { name: 'no ticket', rule: 'R17', edits: [edit(MAP, ` && !ticket.dirty`, ``)] },
  {
    name: 'own writes leave memory as it is',
    rule: 'R17',
    edits: [edit(NEAR, `for (const key of keys) this.map.invalidate(key)`, `void keys`)],
  },
  {
    name: 'no lease on hits',
    rule: 'R18',
    edits: [edit(MAP, `now - this.source.validFrom() < this.stalenessMs`, `true`)],
  },
  {
    name: 'tagged hits do not wait for the clock',
    rule: 'R19',
    edits: [
      edit(NEAR, `entry.tags.length === 0 || tagClock.caughtUp`, `true`),
      edit(NEAR, `if (!this.tagClock.hasPassed(pushed)) {`, `if (!Array.isArray(entry.tags)) {`),
    ],
  },
  {
    name: 'memory not emptied by a reset',
    rule: 'R20',
    edits: [edit(MAP, `reset: () => this.reset(),`, `reset: () => undefined,`)],
  },
  {
    name: 'strict without asking',
    rule: 'R21',
    edits: [edit(NEAR, `!(await this.pushes.barrier())`, `(await Promise.resolve(false))`)],
  },
  {
    name: 'nested reads from memory',
    rule: 'R22',
    edits: [
      edit(NEAR, `if (isInsideLoad()) return null`, ``),
      edit(NEAR, `this.options.strict || isInsideLoad()`, `this.options.strict`),
    ],
  },
]
