import type { Edit } from '../mutation/mutant.js'
import { MUTANTS } from '../mutation/mutants.js'
import { buildWith } from './another-build.js'
import type { Fault } from './faults.js'
import { race, type RaceOptions } from './race.js'

const UNHEARD: readonly Fault[] = [
  'tracking connection half-open',
  'tracking connection slow',
  'tracking connection deaf',
  'tracking connection held for 2.5 s',
]

/**
 * What the rig is proven with: the near cache without one of its rules, in which it has to find a stale read. Each is one bug of the mutation
 * gate, or several where a rule is kept in more than one place. The gate finds each with a directed test; here processes find them that know
 * nothing of the rule.
 */
const MISSING: readonly {
  readonly rule: string
  readonly mutants: readonly string[]
  /** Those that bring it out; false: it is seen best without any. @default all */
  readonly faults?: readonly Fault[] | false
}[] = [
  { rule: 'R17', mutants: ['no ticket'] },
  { rule: 'R17', mutants: ['own invalidation unseen at its call', 'own invalidation unseen at its answer'] },
  { rule: 'R18', mutants: ['hits without lease'] },
  { rule: 'R19', mutants: ['no tag wait on the quick path', 'no tag wait'] },
  { rule: 'R20', mutants: ['reset keeps entries'] },
  { rule: 'R21', mutants: ['strict is quick'] },
  // A load reads what is old in memory only where nothing has been heard for a while.
  { rule: 'R22', mutants: ['nested reads from L1'], faults: UNHEARD },
  // Whoever is not told has to remember for longer than `staleness`, and most faults make a process forget.
  { rule: 'R23', mutants: ['a delete is not told', 'a fill is not told'], faults: false },
]

/** The race without one rule after the other, each until the first violation. Answers the exit code. */
export async function teeth(options: RaceOptions): Promise<number> {
  let missed = 0
  for (const { rule, mutants, faults } of MISSING) {
    const build = await buildWith(mutants.flatMap(editsOf))
    try {
      const report = await race({
        ...options,
        ...(faults === undefined ? {} : { faults: faults && { faults } }),
        dist: build.dist,
        untilViolation: true,
      })
      const [first] = report.violations
      if (first === undefined) missed++
      const verdict =
        first === undefined
          ? `NOT FOUND within ${report.seconds.toFixed(0)} s`
          : `found after ${report.foundAfterSeconds?.toFixed(0)} s: ${first.operation} of ${first.key} saw ${first.saw}, demanded ${first.demanded}`
      console.log(`${rule} ${mutants.join(', ').padEnd(78)} ${verdict}`)
    } finally {
      build.remove()
    }
  }
  return missed === 0 ? 0 : 1
}

/** Of a bug that the mutation gate knows. @throws Error with all of their names */
export function editsOf(name: string): readonly Edit[] {
  const found = MUTANTS.find((each) => each.name === name)
  if (found === undefined)
    throw new Error(`no bug is called '${name}':\n${MUTANTS.map((each) => each.name).join('\n')}`)
  return found.edits
}
