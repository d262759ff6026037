import { edit, type Mutant, REDIS_ONLY, SCRIPTS, WRITE_RULES } from './mutant.js'

/** R11 and R14: deletes and direct writes. */
export const WRITE_MUTANTS: readonly Mutant[] = [
  {
    name: 'delete in the wrong order',
    rule: 'R11',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `command('DEL', [this.keyspace.lease(key)]), this.writes.unlink(this.keyspace.entry(key))`,
        `this.writes.unlink(this.keyspace.entry(key)), command('DEL', [this.keyspace.lease(key)])`,
      ),
    ],
    killer: [REDIS_ONLY, 'leaves nothing, whatever another client stores'],
  },
  {
    name: 'delete wakes nobody',
    rule: 'R11',
    edits: [
      edit(
        'cache/stores/memory-space.ts',
        `    const was = this.remove(key)
    this.changed(key)`,
        `    const was = this.remove(key)`,
      ),
    ],
    killer: [WRITE_RULES, 'sends the waiters of a load that it refused'],
  },
  {
    name: 'set without notAfter',
    rule: 'R14',
    edits: [
      edit(
        SCRIPTS,
        `if now > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET'`,
        `redis.call('SET'`,
      ),
    ],
    killer: [REDIS_ONLY, 'is refused: its caller was told that it failed'],
  },
  {
    name: 'touch without notAfter',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if not entry or now > tonumber(ARGV[1]) or `, `if not entry or `)],
    killer: [REDIS_ONLY, 'is refused: its caller was told that it failed'],
  },
  {
    name: 'set leaves the lease',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `      this.space.dropLease(entry.key)
      this.space.store(entry.key`,
        `      this.space.store(entry.key`,
      ),
    ],
    killer: [WRITE_RULES, 'drops the lease of a load under way'],
  },
  {
    name: 'set sent again with a later reading',
    rule: 'R14',
    edits: [edit('cache/entry-writer.ts', `seen ?? (await this.current(again))`, `await this.current(again)`)],
    killer: [WRITE_RULES, 'loses against an invalidation between its two sendings'],
  },
  {
    name: 'set sent again leaves a gap below S',
    rule: 'R3',
    edits: [
      edit('cache/entry-writer.ts', `seen ?? (await this.current(again))`, `await this.current(again)`),
      edit('cache/tag-clock.ts', ` || since.s > this.s`, ``),
    ],
    killer: [WRITE_RULES, 'leaves no gap in what this process knows'],
  },
]
