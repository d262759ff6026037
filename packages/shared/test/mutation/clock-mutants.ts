import {
  CLOCK_RULES,
  edit,
  MEMORY_SPACE,
  type Mutant,
  SCRIPTS,
  STORE_IN_MEMORY,
  STORE_ON_REDIS,
  TAG_CLOCK,
  WRITE_RULES,
} from './mutant.js'

/** R1 to R6: the tag clock, and what is judged by it. */
export const CLOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'trimming leaves the floor',
    rule: 'R1',
    edits: [edit(SCRIPTS, `redis.call('ZADD', KEYS[1], 'GT', floor, '#f')`, `local nothing`)],
    killer: [STORE_ON_REDIS, 'beyond the most that are kept go'],
  },
  {
    name: 'trimming leaves the floor, in memory',
    rule: 'R1',
    edits: [edit('cache/stores/memory-clock.ts', `      this.f = mark\n`, ``)],
    killer: [MEMORY_SPACE, 'names no tag whose mark was dropped'],
  },
  {
    name: 'a lost clock comes back with its generation',
    rule: 'R2',
    edits: [edit(SCRIPTS, `(tonumber(ARGV[1]) + time[1] * 1000000 + time[2]) % 2 ^ 44`, `5`)],
    killer: [STORE_ON_REDIS, 'is another one, never an old one'],
  },
  {
    name: 'generations are not compared',
    rule: 'R2',
    edits: [edit('cache/tag-clock.ts', `entry.g !== reading.g || `, ``)],
    killer: [WRITE_RULES, 'is seen by a process that knew the generation before'],
  },
  {
    name: 'S kept across #g',
    rule: 'R3',
    edits: [
      edit(
        'cache/tag-clock.ts',
        `if (reply.g !== this.g || reply.s === null || reply.full) {`,
        `if (reply.g !== this.g) {
          this.g = reply.g
          return { g: reply.g, tagsKnown: true }
        }
        if (reply.s === null || reply.full) {`,
      ),
    ],
    killer: [CLOCK_RULES, 'is not kept when the generation moves'],
  },
  {
    name: 'full delta accepted',
    rule: 'R3',
    edits: [edit('cache/tag-clock.ts', ` || reply.full) {`, `) {`)],
    killer: [CLOCK_RULES, 'is not taken from a delta that was cut'],
  },
  {
    name: 'foreign delta applied to another generation',
    rule: 'R3',
    edits: [edit('cache/tag-clock.ts', `if (since.g !== this.g || since.s > this.s) {`, `if (false) {`)],
    killer: [CLOCK_RULES, 'is not applied to another generation'],
  },
  {
    name: 'second base taken for a delta',
    rule: 'R3',
    edits: [edit('cache/tag-clock.ts', `tagsKnown: this.s === reply.s`, `tagsKnown: true`)],
    killer: [TAG_CLOCK, 'that comes second says nothing of the table'],
  },
  {
    name: 'S moved by own invalidation’s answer',
    rule: 'R3',
    edits: [
      edit(
        'cache/operations.ts',
        `await this.engine.invalidate(() => this.engine.store.bumpTags(tags, this.engine.options.maxTags))`,
        `await this.engine.invalidate(() => this.engine.store.bumpTags(tags, this.engine.options.maxTags))
        const own = await this.engine.store.tags(tags)
        ;(this.engine.reader as any).clock.learn(tags, own)
        ;(this.engine.reader as any).clock.s = own.s`,
      ),
    ],
    killer: [CLOCK_RULES, 'is not moved by the answer of its own invalidation'],
  },
  {
    name: 'late delta takes marks back',
    rule: 'R3',
    edits: [
      edit('cache/tag-clock.ts', `if (reply.s >= this.s) {`, `{`),
      edit('cache/tag-clock.ts', `if (known !== undefined && known >= seq) return`, ``),
      edit('cache/tag-clock.ts', `      this.s = reply.s\n`, `      if (reply.s > this.s) this.s = reply.s\n`),
    ],
    killer: [CLOCK_RULES, 'takes nothing back when a reply is handed on late'],
  },
  {
    name: 'delta names a tag twice, older mark last',
    rule: 'R3',
    edits: [edit('cache/stores/memory-clock.ts', `if (this.marks.get(tag) !== seq) continue`, ``)],
    killer: [STORE_IN_MEMORY, 'come in a delta each once'],
  },
  {
    name: 'ZMSCORE without #g',
    rule: 'R4',
    edits: [
      edit('cache/entry-reader.ts', `      entry.g,\n      entry.s,`, `      reply.g ?? entry.g,\n      entry.s,`),
    ],
    killer: [WRITE_RULES, 'between a read and the look-up of its tags'],
  },
  {
    name: 'ZMSCORE without #f',
    rule: 'R4',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `      entry.tags.map((tag) => marks.get(tag)),\n      reply,`,
        `      entry.tags.map((tag) => marks.get(tag)),\n      { ...reply, f: 0 },`,
      ),
    ],
    killer: [CLOCK_RULES, 'of a tag whose mark was dropped judges by the floor'],
  },
  {
    name: 'nil entered in the table without #f',
    rule: 'R4',
    edits: [
      edit(
        'cache/tag-clock.ts',
        `reply.seqs[i] ?? reply.f)\n    if (reply.f > this.f) this.raise(reply.f)`,
        `reply.seqs[i] ?? 0)`,
      ),
      edit(
        'cache/tag-clock.ts',
        `this.adopt(reply.g, reply.s ?? 0, reply.f ?? 0)`,
        `this.adopt(reply.g, reply.s ?? 0, 0)`,
      ),
    ],
    killer: [CLOCK_RULES, 'of a tag whose mark was dropped judges by the floor'],
  },
  {
    name: 'older look-up enters the table',
    rule: 'R4',
    edits: [edit('cache/tag-clock.ts', `else if (reply.s < this.s) return`, ``)],
    killer: [TAG_CLOCK, 'older than S does not enter'],
  },
  {
    name: 'look-up joined after it was sent',
    rule: 'R4',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `const reply = await store.tags(tags)`,
        `const underWay = ((store as any).underWay ??= new Map()) as Map<string, Promise<any>>
        const asked = tags.join()
        if (!underWay.has(asked)) underWay.set(asked, store.tags(tags).finally(() => underWay.delete(asked)))
        const reply = await underWay.get(asked)!`,
      ),
    ],
    killer: [CLOCK_RULES, 'is not shared once it was sent: who asks later'],
  },
  {
    name: 'epochs are not compared',
    rule: 'R5',
    edits: [edit('cache/tag-clock.ts', `entry.e !== epoch || `, ``)],
    killer: [TAG_CLOCK, 'is invalid with another epoch'],
  },
  {
    name: 'the floor is not looked at',
    rule: 'R5',
    edits: [edit('cache/tag-clock.ts', `if (entry.s < this.f) return 'invalid'`, ``)],
    killer: [TAG_CLOCK, 'raises the floor'],
  },
  {
    name: 'read joined after it was sent',
    rule: 'R6',
    edits: [
      edit(
        'cache/entry-reader.ts',
        `    return new Promise((answer, fail) => this.batch.add({ key, nearMs, answer, fail, next: undefined }))`,
        `    const underWay = ((this as any).underWay ??= new Map()) as Map<string, Promise<Found>>
        let read = underWay.get(key)
        if (read === undefined) {
          read = new Promise<Found>((answer, fail) => this.batch.add({ key, nearMs, answer, fail, next: undefined }))
          underWay.set(key, read)
          void read.finally(() => underWay.delete(key))
        }
        return read`,
      ),
    ],
    killer: [CLOCK_RULES, 'is shared while it is unsent, and not after'],
  },
]
