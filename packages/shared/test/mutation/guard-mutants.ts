import {
  edit,
  ENVELOPE,
  METHOD_CACHE,
  type Mutant,
  OPERATIONS_IN_MEMORY,
  REDIS_SCANS,
  RESPONSE_KEY,
  RESPONSES,
  SCOPE,
  SCRIPTS,
  SENSITIVE,
  STORE_IN_MEMORY,
  STORE_ON_REDIS,
  VALUE_CODEC,
  VALUE_RULES,
} from './mutant.js'

const REMOVE_ENTRIES = `await unavailable(
        Promise.all(this.units.topology.shards().map((shard) => this.removeEntries(shard, glob))),
      )`

/** R12, and what keeps tenants, users, secrets and unreadable values apart. */
export const GUARD_MUTANTS: readonly Mutant[] = [
  {
    name: 'entries of a pattern before its leases',
    rule: 'R12',
    edits: [
      edit(
        'cache/stores/redis-scans.ts',
        `      const before = await this.layout()`,
        `      const before = await this.layout()
      const early = ${REMOVE_ENTRIES}`,
      ),
      edit('cache/stores/redis-scans.ts', `const gone = ${REMOVE_ENTRIES}`, `const gone = early`),
    ],
    killer: [REDIS_SCANS, 'leaves nothing of a load that was under way'],
  },
  {
    name: 'one scan for leases and entries',
    rule: 'R12',
    edits: [
      edit(
        'cache/stores/redis-scans.ts',
        `      const before = await this.layout()`,
        `      const before = await this.layout()
      const both = this.units.topology.shards().map((shard) => this.removeEntries(shard, glob))`,
      ),
      edit('cache/stores/redis-scans.ts', `const gone = ${REMOVE_ENTRIES}`, `const gone = await Promise.all(both)`),
    ],
    killer: [REDIS_SCANS, 'leaves nothing of a load that was under way'],
  },
  {
    name: 'no second round after slots moved',
    rule: 'R12',
    edits: [edit('cache/stores/redis-scans.ts', ` && before.slots === after.slots) return`, `) return`)],
    killer: [REDIS_SCANS, 'begins again when slots have changed masters meanwhile'],
  },
  {
    name: 'no second round while a slot is on its way',
    rule: 'R12',
    edits: [edit('cache/stores/redis-scans.ts', `!before.migrating && !after.migrating && `, ``)],
    killer: [REDIS_SCANS, 'begins again when a slot was on its way after the scans'],
  },
  {
    name: 'marks of a migration looked at only afterwards',
    rule: 'R12',
    edits: [edit('cache/stores/redis-scans.ts', `!before.migrating && !after`, `!after`)],
    killer: [REDIS_SCANS, 'begins again when a slot was on its way before the scans'],
  },
  {
    name: 'pattern leaves leases',
    rule: 'R12',
    edits: [edit('cache/stores/redis-scans.ts', `await this.remove('DEL', leases)`, ``)],
    killer: [REDIS_SCANS, 'leaves nothing of a load that was under way'],
  },
  {
    name: 'pattern leaves leases, in memory',
    rule: 'R12',
    edits: [
      edit(
        'cache/stores/memory-space.ts',
        `const leased = [...this.leases.keys()].filter(matches)`,
        `const leased: string[] = []`,
      ),
    ],
    killer: [STORE_IN_MEMORY, 'drops the leases that match, those without an entry too'],
  },
  {
    name: 'count of a pattern read before an await',
    rule: 'R12',
    edits: [
      edit(
        'cache/stores/redis-scans.ts',
        `const gone = ${REMOVE_ENTRIES}`,
        `const gone: number[] = []
      await Promise.all(
        this.units.topology.shards().map(async (shard) => {
          removed += await this.removeEntries(shard, glob)
        }),
      )`,
      ),
    ],
    killer: [REDIS_SCANS, 'counts what went from all masters'],
  },
  {
    name: 'tenant not checked in globs',
    rule: 'API',
    edits: [
      edit(
        'cache/scope.ts',
        `assertKey(glob, 'pattern')
    if (this.tenancy.required) this.tenancy.assertGlobHeld(glob)`,
        `assertKey(glob, 'pattern')`,
      ),
    ],
    killer: [SCOPE, 'the glob "product:*" may reach other tenants than t1'],
  },
  {
    name: 'tenant at the end of a glob taken for a whole segment',
    rule: 'API',
    edits: [
      edit('cache/tenancy.ts', `const end = open ? text.lastIndexOf(':') : text.length`, `const end = text.length`),
    ],
    killer: [SCOPE, 'the glob "product:t1*" may reach other tenants than t1'],
  },
  {
    name: 'wildcard in the first segment of a scope',
    rule: 'API',
    edits: [edit('cache/scope.ts', `if (char === '*' || char === '?' || char === '[')`, `if (false)`)],
    killer: [SCOPE, 'refuse the glob "product*", whose first segment has a wildcard'],
  },
  {
    name: 'tenant as a part of a segment',
    rule: 'API',
    edits: [
      edit(
        'cache/tenancy.ts',
        `if ((at === 0 || name[at - 1] === ':') && (end === name.length || name[end] === ':')) return true`,
        `if (at >= 0 && end > 0) return true`,
      ),
    ],
    killer: [SCOPE, 'the name "product:t10:42" does not hold the tenant t1'],
  },
  {
    name: 'marks not carried by untagged entries',
    rule: 'API',
    edits: [edit('cache/tags.ts', `if (own.length === 0) return scope.marks`, `if (own.length === 0) return own`)],
    killer: [OPERATIONS_IN_MEMORY, 'are cleared alone: a tenant with its users'],
  },
  {
    name: 'marks not carried by tagged entries',
    rule: 'API',
    edits: [
      edit('cache/tags.ts', `return scope.marks.length === 0 ? mapped : [...mapped, ...scope.marks]`, `return mapped`),
    ],
    killer: [VALUE_RULES, 'is cleared with it, whatever its tags'],
  },
  {
    name: 'marks not carried by a loaded null',
    rule: 'API',
    edits: [
      edit(
        'cache/read-through.ts',
        `typeof tags === 'function' ? scope.marks : tags`,
        `typeof tags === 'function' ? [] : tags`,
      ),
    ],
    killer: [VALUE_RULES, 'is cleared with the scope that it was loaded in'],
  },
  {
    name: 'clear of a scope clears all',
    rule: 'API',
    edits: [
      edit(
        'cache/operations.ts',
        `if (tags !== null) return engine.invalidate(`,
        `if (tags === undefined) return engine.invalidate(`,
      ),
    ],
    killer: [OPERATIONS_IN_MEMORY, 'are cleared alone: a tenant with its users'],
  },
  {
    name: 'clear of a user clears the tenant',
    rule: 'API',
    edits: [edit('cache/scope.ts', `return this.marks.slice(-1)`, `return this.marks.slice(0, 1)`)],
    killer: [OPERATIONS_IN_MEMORY, 'are cleared alone: a tenant with its users'],
  },
  {
    name: 'clear of a scope clears nothing',
    rule: 'API',
    edits: [edit('cache/scope.ts', `return this.marks.slice(-1)`, `return []`)],
    killer: [OPERATIONS_IN_MEMORY, 'are cleared alone: a tenant with its users'],
  },
  {
    name: 'sensitive field in nested arrays',
    rule: 'API',
    edits: [
      edit(
        'cache/sensitive.ts',
        `const at = this.inValue(item, traits, String(i))`,
        `const at = Array.isArray(item) ? null : this.inValue(item, traits, String(i))`,
      ),
    ],
    killer: [SENSITIVE, 'is found wherever it is stored'],
  },
  {
    name: 'sensitive load stored all the same',
    rule: 'API',
    edits: [
      edit(
        'cache/values.ts',
        `return path === null ? this.encode(key, value) : this.leaveOut(key, path)`,
        `return this.encode(key, value)`,
      ),
    ],
    killer: [OPERATIONS_IN_MEMORY, 'is refused with the path of a sensitive field'],
  },
  {
    name: 'encrypted value not bound to its key',
    rule: 'API',
    edits: [
      edit(
        'kernel/codec/value-codec.ts',
        `keys.open(asBytes(payload), codec + key)`,
        `keys.open(asBytes(payload), codec)`,
      ),
      edit('kernel/codec/value-codec.ts', `keys.seal(asBytes(data), codec + key)`, `keys.seal(asBytes(data), codec)`),
    ],
    killer: [VALUE_CODEC, 'refuses a value that was moved to another entry'],
  },
  {
    name: 'plain value taken where all are encrypted',
    rule: 'API',
    edits: [
      edit(
        'kernel/codec/value-codec.ts',
        `if (this.keys !== undefined) throw unreadable('the stored value is not encrypted')`,
        ``,
      ),
    ],
    killer: [VALUE_CODEC, 'reads nothing that is not encrypted'],
  },
  {
    name: 'unreadable entry read for ever',
    rule: 'R7',
    edits: [
      edit('cache/read-through.ts', `caller.replaces = entry`, `caller.replaces = value === UNREADABLE ? null : entry`),
    ],
    killer: [VALUE_RULES, 'is loaded anew at once, however valid it is'],
  },
  {
    name: 'undecodable entry answered as found',
    rule: 'R7',
    edits: [
      edit(
        'cache/loader.ts',
        `if (value !== UNREADABLE) return { value }`,
        `if (value !== undefined) return { value }`,
      ),
    ],
    killer: [VALUE_RULES, 'that came between the read and the lease'],
  },
  {
    name: 'scan survives a reconnect',
    rule: 'R12',
    edits: [edit('redis/scan.ts', `if (this.begun !== undefined && session !== this.begun) {`, `if (false) {`)],
    killer: [REDIS_SCANS, 'does not go on where its connection was lost'],
  },
  {
    name: 'reclaim takes the generation of now',
    rule: 'R2',
    edits: [edit('cache/stores/memory-space.ts', `Number(g) < Number(generation)`, `Number(g) <= Number(generation)`)],
    killer: [STORE_IN_MEMORY, 'is given back entry by entry'],
  },
  {
    name: 'reclaim takes the generation of now, on Redis',
    rule: 'R2',
    edits: [edit(SCRIPTS, `(g and tonumber(g) < tonumber(ARGV[1]))`, `(g and tonumber(g) <= tonumber(ARGV[1]))`)],
    killer: [STORE_ON_REDIS, 'is given back entry by entry'],
  },
  {
    name: 'header that claims to be foreign',
    rule: 'P4',
    edits: [edit('kernel/codec/envelope.ts', ` && codec !== SMALL_F) return`, `) return`)],
    killer: [ENVELOPE, 'is null when it claims to be foreign behind a header'],
  },
  {
    name: 'method results of all tenants under one key',
    rule: 'API',
    edits: [
      edit('cache/nest/method-cache.ts', `const tenant = tenancy.defaultKeyTenant()`, `const tenant = undefined`),
    ],
    killer: [METHOD_CACHE, 'has default keys of its own for each tenant'],
  },
  {
    name: 'response of one user for another',
    rule: 'API',
    edits: [edit('cache/nest/response-key.ts', `vary.includes('user') ? user : undefined`, `undefined`)],
    killer: [RESPONSE_KEY, 'is another for another user'],
  },
  {
    name: 'response of one tenant for another',
    rule: 'API',
    edits: [
      edit(
        'cache/nest/response-key.ts',
        `    turn,
    tenant,
    vary`,
        `    turn,
    vary`,
      ),
    ],
    killer: [RESPONSE_KEY, 'tells the tenant of the turn from the one that the request names'],
  },
  {
    name: 'response to Authorization shared',
    rule: 'API',
    edits: [
      edit(
        'cache/nest/cache-response.interceptor.ts',
        ` || exchange.requestHeader('authorization') === undefined`,
        ` || true`,
      ),
    ],
    killer: [RESPONSES, 'does not share what was asked for with Authorization'],
  },
  {
    name: 'response for one alone given to who asked at once',
    rule: 'API',
    edits: [
      edit(
        'cache/nest/cache-response.interceptor.ts',
        `exchange.isShareable(plan.vary) ? shareableBody(own.value) : null`,
        `shareableBody(own.value)`,
      ),
    ],
    killer: [RESPONSES, 'gives nobody else an answer that is for one alone'],
  },
]
