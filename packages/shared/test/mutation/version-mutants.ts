import {
  edit,
  ENTRY_WRITER,
  type Mutant,
  REDIS_CLOCK,
  REPLAYING_STORE,
  SCRIPTS,
  STALE_RULES,
  STORE_IN_MEMORY,
  STORE_ON_REDIS,
  TAG_CLOCK,
  VALUE_RULES,
} from './mutant.js'

/** R14's versions and R15. */
export const VERSION_MUTANTS: readonly Mutant[] = [
  {
    name: 'version ignored',
    rule: 'R14',
    edits: [edit('cache/stores/memory.ts', `if (counts && entry.version`, `if (false && entry.version`)],
    killer: [STORE_IN_MEMORY, 'is a whole number of any length: 1 is older than 2'],
  },
  {
    name: 'version ignored, on Redis',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if there and g >= string.sub(ARGV[2], 6, 19) and (`, `if false and (`)],
    killer: [STORE_ON_REDIS, 'is a whole number of any length: 1 is older than 2'],
  },
  {
    name: 'version compared as a double',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `isHigher(there.version, entry.version)`,
        `Number(there.version) > Number(entry.version)`,
      ),
    ],
    killer: [STORE_IN_MEMORY, '9007199254740992 is older than 9007199254740993'],
  },
  {
    name: 'version compared as a double, on Redis',
    rule: 'R14',
    edits: [
      edit(
        SCRIPTS,
        `(#there > #ARGV[6] or (#there == #ARGV[6] and there > ARGV[6]))`,
        `tonumber(there) > tonumber(ARGV[6])`,
      ),
    ],
    killer: [STORE_ON_REDIS, '9007199254740992 is older than 9007199254740993'],
  },
  {
    name: 'version compared as a text, on Redis',
    rule: 'R14',
    edits: [edit(SCRIPTS, `(#there > #ARGV[6] or (#there == #ARGV[6] and there > ARGV[6]))`, `there > ARGV[6]`)],
    killer: [STORE_ON_REDIS, 'is a whole number of any length: 9 is older than 10'],
  },
  {
    name: 'refused version drops the lease',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `        return 'older'`,
        `        this.space.dropLease(entry.key)
        return 'older'`,
      ),
    ],
    killer: [VALUE_RULES, 'that is refused leaves the load under way its lease'],
  },
  {
    name: 'refused version drops the lease, on Redis',
    rule: 'R14',
    edits: [
      edit(
        SCRIPTS,
        `  return 2
end`,
        `  redis.call('DEL', KEYS[2])
  return 2
end`,
      ),
    ],
    killer: [STORE_ON_REDIS, 'that is older leaves the lease of a load under way alone'],
  },
  {
    name: 'version compared across generations',
    rule: 'R14',
    edits: [edit('cache/stores/memory.ts', `there !== null && Number(there.g) >= Number(entry.g)`, `there !== null`)],
    killer: [STORE_IN_MEMORY, 'a version (R14) says nothing in another generation'],
  },
  {
    name: 'version compared across generations, on Redis',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if there and g >= string.sub(ARGV[2], 6, 19) and (`, `if there and (`)],
    killer: [STORE_ON_REDIS, 'a version (R14) says nothing in another generation'],
  },
  {
    name: 'refused version not sent again after a clear',
    rule: 'R14',
    edits: [
      edit(
        'cache/entry-writer.ts',
        `  if (reply.g !== since.g || reply.s === null) return true
  if (outcome === 'older' ||`,
        `  if (outcome === 'older') return false
  if (reply.g !== since.g || reply.s === null) return true
  if (`,
      ),
    ],
    killer: [VALUE_RULES, 'is not compared with that of a generation which is over'],
  },
  {
    name: 'fill forgets the version',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/memory.ts',
        `const version = fill.entry.version ?? this.versionThere(fill.entry)`,
        `const { version } = fill.entry`,
      ),
    ],
    killer: [STORE_IN_MEMORY, 'of what a fill replaces stays, when the fill has none'],
  },
  {
    name: 'fill forgets the version, on Redis',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if version and g == string.sub(ARGV[2], 6, 19) and string`, `if false and string`)],
    killer: [STORE_ON_REDIS, 'of what a fill replaces stays, when the fill has none'],
  },
  {
    name: 'fill keeps the version of another generation, on Redis',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if version and g == string.sub(ARGV[2], 6, 19) and string`, `if version and string`)],
    killer: [STORE_ON_REDIS, 'of what a fill replaces goes with its generation'],
  },
  {
    name: 'late set owes nothing',
    rule: 'R14',
    edits: [
      edit(
        'cache/replaying-store.ts',
        `if (outcomes.every((outcome) => outcome === 'stored' || outcome === 'older')) return`,
        `if (outcomes.every((outcome) => typeof outcome === 'string')) return`,
      ),
      edit(
        'cache/replaying-store.ts',
        `outcomes[i] !== 'stored' && outcomes[i] !== 'older'`,
        `typeof outcomes[i] !== 'string'`,
      ),
    ],
    killer: [REPLAYING_STORE, 'owes a delete for a write that failed or came late'],
  },
  {
    name: 'redirected set keeps the epoch and the time of the first master',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `this.unit(entry.key, (shard) => this.setCommands(entry, shard, until))`,
        `this.unit(entry.key, this.setCommands(entry, this.topology.shardOf(entry.key)!, until))`,
      ),
    ],
    killer: [REDIS_CLOCK, 'carries the epoch and the time of the one that it lands on'],
  },
  {
    name: 'redirected touch keeps the time of the first master',
    rule: 'R14',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `await this.units.inTime([this.unit(key, commands)])`,
        `await this.units.inTime([this.unit(key, commands(this.topology.shardOf(key)!))])`,
      ),
    ],
    killer: [REDIS_CLOCK, 'carries the epoch and the time of the one that it lands on'],
  },
  {
    name: 'refresh without lease',
    rule: 'R15',
    edits: [
      edit(
        'cache/loader.ts',
        `if (leader.away || leader.held || this.closed) return null`,
        `if (leader.away || leader.held || load.joined.size === 0) return null`,
      ),
    ],
    killer: [STALE_RULES, 'is served at once, and loaded anew by one process alone'],
  },
  {
    name: 'refresh by every process',
    rule: 'R15',
    edits: [
      edit(
        'cache/loader.ts',
        `        this.end(load, () => undefined)
        return 'over'`,
        `        return null`,
      ),
    ],
    killer: [STALE_RULES, 'is served at once, and loaded anew by one process alone'],
  },
  {
    name: 'refresh by every caller',
    rule: 'R15',
    edits: [edit('cache/loader.ts', `if (this.running.has(key) || this.scope.has(key)) return`, ``)],
    killer: [STALE_RULES, 'is served at once, and loaded anew by one process alone'],
  },
  {
    name: 'stale beyond its grace',
    rule: 'R15',
    edits: [edit('cache/tag-clock.ts', ` || entry.hardAt <= nowMs) {`, `) {`)],
    killer: [TAG_CLOCK, 'is invalid with a time that is over'],
  },
  {
    name: 'refresh takes its own stale entry for found',
    rule: 'R15',
    edits: [edit('cache/lease-batches.ts', ` && !(replaces !== null && isSame(entry!, replaces))) {`, `) {`)],
    killer: [STALE_RULES, 'is served at once, and loaded anew by one process alone'],
  },
  {
    name: 'stale served until it has gone, and never refreshed',
    rule: 'R15',
    edits: [edit('cache/early-refresh.ts', `if (nowMs >= softAt) return true`, `if (nowMs >= softAt) return false`)],
    killer: [STALE_RULES, 'is served at once, and loaded anew by one process alone'],
  },
  {
    name: 'refreshed early never',
    rule: 'R15',
    edits: [edit('cache/early-refresh.ts', `return deltaMs > 0 && `, `return false && `)],
    killer: [STALE_RULES, 'is the likelier the nearer the end'],
  },
  {
    name: 'refreshed early always',
    rule: 'R15',
    edits: [
      edit('cache/early-refresh.ts', ` || nowMs + FARTHEST_REFRESH * deltaMs < softAt) return false`, `) return false`),
      edit('cache/early-refresh.ts', `return deltaMs > 0 && `, `return true || `),
    ],
    killer: [STALE_RULES, 'is the likelier the nearer the end'],
  },
  {
    name: 'refreshed early although that is off',
    rule: 'R15',
    edits: [edit('cache/early-refresh.ts', `!early || `, ``)],
    killer: [STALE_RULES, 'may be turned off'],
  },
  {
    name: 'refreshed early whatever the load took',
    rule: 'R15',
    edits: [
      edit('cache/lease-upkeep.ts', `const deltaMs = Math.round(Math.min(loadMs, ttlMs / 3))`, `const deltaMs = 0`),
    ],
    killer: [STALE_RULES, 'is the likelier the nearer the end'],
  },
  {
    name: 'version of a later generation says nothing',
    rule: 'R14',
    edits: [edit('cache/stores/memory.ts', `Number(there.g) >= Number(entry.g)`, `there.g === entry.g`)],
    killer: [STORE_IN_MEMORY, 'of an entry of a later generation counts'],
  },
  {
    name: 'version of a later generation says nothing, on Redis',
    rule: 'R14',
    edits: [edit(SCRIPTS, `if there and g >= string`, `if there and g == string`)],
    killer: [STORE_ON_REDIS, 'of an entry of a later generation counts'],
  },
  {
    name: 'write that could not be sent leaves what was there',
    rule: 'R24',
    edits: [
      edit('cache/entry-writer.ts', `if (error instanceof CacheUnavailableError) await this.forget(requests)`, ``),
    ],
    killer: [ENTRY_WRITER, 'that could not even be sent takes away'],
  },
  {
    name: 'write sent again over a later one of its tick',
    rule: 'R14',
    edits: [edit('cache/entry-writer.ts', ` && isLast(requests, i)) return true`, `) return true`)],
    killer: [ENTRY_WRITER, 'is not sent again over a later one of its tick'],
  },
  {
    name: 'refresh that stores nothing leaves the stale value',
    rule: 'R15',
    edits: [edit('cache/loader.ts', `if (leader.replaces !== null && !skipped)`, `if (false)`)],
    killer: [STALE_RULES, 'that brings nothing which is stored ends the stale value'],
  },
]
