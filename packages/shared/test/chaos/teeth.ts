import { edit, type Edit, SCRIPTS } from '../mutation/mutant.js'
import { buildWith } from '../rig/another-build.js'
import { chaos, type ChaosOptions } from './chaos.js'

/** How acquire.lua makes a fence, where somebody waits or holds, and where nobody does. */
const NEXT_FENCE = "math.max(micros, (redis.call('GET', KEYS[4]) or 0) + 1)"
const FIRST_FENCE = "string.format('%.0f', micros)"

/** Without one of these the chaos has to find something wrong. */
export const MISSING: readonly { readonly name: string; readonly edits?: readonly Edit[] }[] = [
  { name: 'the database does not look at fences' },
  {
    name: 'a lock does not know that its time is over',
    edits: [
      edit('lock/held-lock.ts', "if (this.state === 'held' && this.leftMs <= 0) this.lose('expired')", ''),
      // The timer would look for ever.
      edit('lock/held-lock.ts', "if (this.state === 'held') this.schedule()", ''),
    ],
  },
  {
    name: 'a fence is handed out again',
    edits: [
      edit(SCRIPTS, NEXT_FENCE, "redis.call('GET', KEYS[4]) or micros"),
      edit(SCRIPTS, FIRST_FENCE, "string.format('%.0f', redis.call('GET', KEYS[4]) or micros)"),
    ],
  },
  {
    name: 'fences begin again when the last one is lost',
    edits: [
      edit(SCRIPTS, NEXT_FENCE, "(redis.call('GET', KEYS[4]) or 0) + 1"),
      edit(SCRIPTS, FIRST_FENCE, "string.format('%.0f', (redis.call('GET', KEYS[4]) or 0) + 1)"),
    ],
  },
  {
    name: 'whoever gives back ends the lock of whoever holds it',
    edits: [edit(SCRIPTS, "given = redis.call('ZREM', KEYS[1], ARGV[1])", "given = redis.call('DEL', KEYS[1])")],
  },
  {
    name: 'a lock that is held is handed out',
    edits: [edit(SCRIPTS, 'or passes) and admits(ARGV[4]))', 'or passes))')],
  },
]

/** The chaos without one thing after the other, each until something is wrong. Answers the exit code. */
export async function teeth(options: Omit<ChaosOptions, 'topology'>): Promise<number> {
  let missed = 0
  for (const { name, edits } of MISSING) {
    const build = edits === undefined ? undefined : await buildWith(edits)
    try {
      const fenced = edits !== undefined
      const { wrong, seconds } = await chaos({
        ...options,
        dist: build?.dist,
        fenced,
        untilWrong: true,
        progress: undefined,
      })
      const [first] = wrong
      if (first === undefined) missed++
      const found = first === undefined ? 'NOT FOUND' : `found: ${first.rule}, ${JSON.stringify(first.details)}`
      console.log(`${name.padEnd(50)} ${seconds.toFixed(0).padStart(4)} s  ${found}`)
    } finally {
      build?.remove()
    }
  }
  return missed === 0 ? 0 : 1
}
