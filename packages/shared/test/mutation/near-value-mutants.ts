import { DEEP_COPY, edit, type Mutant, NEAR_CACHE, NEAR_ENTRY, NEAR_RULES } from './mutant.js'

const NEAR = 'cache/near-cache.ts'

/** What L1 keeps, for how long, what it hands out, and how it counts. */
export const NEAR_VALUE_MUTANTS: readonly Mutant[] = [
  {
    name: 'foreign values fill',
    rule: 'R17',
    edits: [edit(NEAR, `if (entry.codec === FOREIGN_CODEC || nowMs === 0)`, `if (nowMs === 0)`)],
    killer: [NEAR_RULES, 'is another program’s value'],
  },
  {
    name: 'l1: false of the writer ignored',
    rule: 'API',
    edits: [
      edit(
        NEAR,
        `Math.min(asked, entry.nearMs ?? Infinity, entry.hardAt - nowMs)`,
        `Math.min(asked || this.options.ttlMs, entry.hardAt - nowMs)`,
      ),
    ],
    killer: [NEAR_RULES, 'is an entry whose writer said so'],
  },
  {
    name: 'L1 outlives its entry',
    rule: 'API',
    edits: [
      edit(
        NEAR,
        `Math.min(asked, entry.nearMs ?? Infinity, entry.hardAt - nowMs)`,
        `Math.min(asked, entry.nearMs ?? Infinity)`,
      ),
    ],
    killer: [NEAR_CACHE, 'no longer than its entry, grace included'],
  },
  {
    name: 'copy is the original',
    rule: 'API',
    edits: [edit('cache/near-entry.ts', `const copy = copyBy(this.plan, this.value)`, `const copy = this.value`)],
    killer: [NEAR_ENTRY, 'is a copy with "copy"'],
  },
  {
    name: 'first hit takes the original',
    rule: 'API',
    edits: [
      edit(
        'cache/near-entry.ts',
        `    this.payload = ''\n    return this.handOut()`,
        `    this.payload = ''\n    return value`,
      ),
    ],
    killer: [NEAR_ENTRY, 'is a copy with "copy"'],
  },
  {
    name: 'Dates shared because they are frozen',
    rule: 'API',
    edits: [edit('cache/near-entry.ts', `(this.mode === 'frozen' && !canFreeze(plan!))`, `false`)],
    killer: [NEAR_ENTRY, 'is a copy also with "frozen"'],
  },
  {
    name: 'frozen at the top alone',
    rule: 'API',
    edits: [edit('kernel/deep-copy.ts', `else for (const each of Object.values(object)) add(each)`, `else void add`)],
    killer: [DEEP_COPY, 'can’t be changed anywhere'],
  },
  {
    name: 'copy sets a prototype',
    rule: 'API',
    edits: [edit('kernel/deep-copy.ts', `: { ...value }`, `: Object.assign({}, value)`)],
    killer: [DEEP_COPY, 'of a field called __proto__'],
  },
  {
    name: 'one plan for rows of two shapes',
    rule: 'API',
    edits: [edit('kernel/deep-copy.ts', `if (plans.every((plan) => plan === first))`, `if (first !== AS_IT_IS)`)],
    killer: [DEEP_COPY, 'also where the last is of another shape'],
  },
  {
    name: 'serializer cuts windows out of L1',
    rule: 'API',
    edits: [edit('kernel/codec/value-codec.ts', `Buffer.from(asBytes(data))`, `asBytes(data)`)],
    killer: [NEAR_CACHE, 'not even through bytes that a serializer has cut'],
  },
  {
    name: 'hit of L1 counted by the store as well',
    rule: 'API',
    edits: [edit('cache/engine.ts', `if (near === undefined) this.statistics.hit(key)`, `this.statistics.hit(key)`)],
    killer: [NEAR_CACHE, 'count each hit of L1 once'],
  },
  {
    name: 'quick hit not counted',
    rule: 'API',
    edits: [edit(NEAR, `    this.count(key, entry)\n    if (canLoad`, `    if (canLoad`)],
    killer: [NEAR_CACHE, 'count each hit of L1 once'],
  },
  {
    name: 'hits counted where nobody looks any more',
    rule: 'API',
    edits: [edit(NEAR, `if (entry.counts.detached) entry.counts = this.statistics.counts(key)`, ``)],
    killer: [NEAR_CACHE, 'lose no hit of an entry whose group was not busy enough'],
  },
  {
    name: 'weighed by the payload alone',
    rule: 'API',
    edits: [edit(NEAR, `if (entry.unpacked) this.map.weigh(key, entry, weightOf(key, entry))`, ``)],
    killer: [NEAR_CACHE, 'is bounded by what values weigh once they are unpacked'],
  },
  {
    name: 'tags weigh nothing',
    rule: 'API',
    edits: [
      edit('cache/near-entry.ts', `for (const tag of this.tags) bytes +=`, `for (const tag of NO_TAGS) bytes +=`),
      edit(
        'cache/near-entry.ts',
        `const BYTES_A_CHARACTER = 2\n`,
        `const BYTES_A_CHARACTER = 2\nconst NO_TAGS: string[] = []\n`,
      ),
    ],
    killer: [NEAR_ENTRY, 'counts its tags'],
  },
]
